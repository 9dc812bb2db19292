create or replace function pgtrail._batch_start(batch pgtrail.batch)
    returns pgtrail.log_position
    language plpgsql immutable parallel safe
    set search_path = pg_catalog, pg_temp
as $$
begin
    return row(
        (_batch_start.batch).from_tx_id, (_batch_start.batch).from_trail_name,
        (_batch_start.batch).from_entry_id)::pgtrail.log_position;
end;
$$;

revoke all on function pgtrail._batch_start from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._batch_start is 'Returns the position behind which the entries of a batch lie.';
