create or replace function pgtrail._head_position(head pgtrail.log)
    returns pgtrail.log_position
    language sql
    immutable
    parallel safe
return row((head).tx_id, (head).trail_name, (head).entry_id)::pgtrail.log_position;

revoke all on function pgtrail._head_position(pgtrail.log) from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._head_position(pgtrail.log) is
    'Returns the position up to which the entries of the era are sealed.';
