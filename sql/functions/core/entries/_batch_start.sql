create or replace function pgtrail._batch_start(batch pgtrail.batch)
    returns pgtrail.log_position
    language sql
    immutable
    parallel safe
return row((batch).from_tx_id, (batch).from_trail_name, (batch).from_entry_id)::pgtrail.log_position;

revoke all on function pgtrail._batch_start(pgtrail.batch) from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._batch_start(pgtrail.batch) is
    'Returns the position behind which the entries of a batch lie.';
