create or replace function pgtrail._readable_trails(from_tx_id xid8, to_tx_id xid8)
    returns text[]
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
begin
    return array(
        select present.trail_name
        from unnest(pgtrail._trails_between(_readable_trails.from_tx_id, _readable_trails.to_tx_id))
            as present (trail_name)
        where exists (
            select from pgtrail.entry_format as format where format.trail_name = present.trail_name)
    );
end;
$$;

revoke all on function pgtrail._readable_trails from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._readable_trails is
    'Returns the trails that have entries of the transactions from from_tx_id to to_tx_id and a format to read them '
    'by.';
