create or replace function pgtrail._position_before(tx_id xid8)
    returns pgtrail.log_position
    language plpgsql immutable parallel safe
    set search_path = pg_catalog, pg_temp
as $$
begin
    return row(_position_before.tx_id, ''::text collate "C", pgtrail._least_id())::pgtrail.log_position;
end;
$$;

revoke all on function pgtrail._position_before from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._position_before is
    'Returns the position before all entries of a transaction: where the log stands when all before it is sealed.';
