create or replace function pgtrail._batch_end(batch pgtrail.batch)
    returns pgtrail.log_position
    language sql
    immutable
    parallel safe
return row((batch).to_tx_id, (batch).to_trail_name, (batch).to_entry_id)::pgtrail.log_position;

revoke all on function pgtrail._batch_end(pgtrail.batch) from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._batch_end(pgtrail.batch) is
    'Returns the position up to which the entries of a batch lie, its own included.';
