create or replace function pgtrail._batch_end(batch pgtrail.batch)
    returns pgtrail.log_position
    language plpgsql immutable parallel safe
    set search_path = pg_catalog, pg_temp
as $$
begin
    return row(
        (_batch_end.batch).to_tx_id, (_batch_end.batch).to_trail_name,
        (_batch_end.batch).to_entry_id)::pgtrail.log_position;
end;
$$;

revoke all on function pgtrail._batch_end from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._batch_end is
    'Returns the position up to which the entries of a batch lie, its own included.';
