create or replace function pgtrail._head_position(head pgtrail.log)
    returns pgtrail.log_position
    language plpgsql immutable parallel safe
    set search_path = pg_catalog, pg_temp
as $$
begin
    return row(
        (_head_position.head).tx_id, (_head_position.head).trail_name,
        (_head_position.head).entry_id)::pgtrail.log_position;
end;
$$;

revoke all on function pgtrail._head_position from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._head_position is 'Returns the position up to which the entries of the era are sealed.';
