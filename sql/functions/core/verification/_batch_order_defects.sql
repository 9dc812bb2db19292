create or replace function pgtrail._batch_order_defects()
    returns table (defect text, trail_name text, entry_id uuid, detail text)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select 'log damaged'::text, null::text, null::uuid,
        format('the batch at leaf %s does not continue the one before it', link.first_leaf)
    from (
        select batch.first_leaf,
            lag(batch.first_leaf + batch.entries, 1, 0::bigint) over leaves as expected_leaf,
            batch.era < lag(batch.era, 1, 0::smallint) over leaves as goes_back,
            row(batch.from_tx_id, batch.from_trail_name, batch.from_entry_id)::pgtrail.log_position = coalesce(
                lag(row(batch.to_tx_id, batch.to_trail_name, batch.to_entry_id)::pgtrail.log_position) over positions,
                pgtrail._position_before('0'::xid8)) as continues
        from pgtrail.batch as batch
        where batch.log_id = 1
        window leaves as (order by batch.first_leaf), positions as (partition by batch.era order by batch.first_leaf)
    ) as link
    where link.first_leaf <> link.expected_leaf or link.goes_back or not link.continues;
end;
$$;

revoke all on function pgtrail._batch_order_defects from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._batch_order_defects is
    'Returns a defect for each batch that does not follow the one before it, in leaves and in positions.';
