-- Between the end of an era's batches and its position nothing was left when it was sealed.
create or replace function pgtrail._gap_defects()
    returns table (defect text, trail_name text, entry_id uuid, detail text)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set jit = off
as $$
declare
    v_log pgtrail.log;
begin
    select head.* into strict v_log from pgtrail.log as head where head.log_id = 1;
    return query
    select 'inserted'::text, entries.trail_name, entries.entry_id, 'lies below the watermark and is in no batch'
    from (
        select distinct on (era.era) era.era::smallint as era,
            case when batch.first_leaf is null then pgtrail._position_before('0'::xid8)
                else pgtrail._batch_end(batch) end as behind,
            case when era.era = v_log.era then pgtrail._head_position(v_log) else pgtrail._era_end() end as up_to
        from generate_series(0, v_log.era) as era
        left join pgtrail.batch as batch on batch.log_id = 1 and batch.era = era.era
        order by era.era, batch.first_leaf desc nulls last
    ) as gap
    cross join lateral pgtrail._encoded_entries(
        gap.era, gap.behind, gap.up_to, null, null,
        pgtrail._readable_trails((gap.behind).tx_id, (gap.up_to).tx_id)) as entries
    where gap.behind <> gap.up_to;
end;
$$;

revoke all on function pgtrail._gap_defects from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._gap_defects is
    'Returns a defect for each entry that lies below the watermark of its era and is in no batch.';
