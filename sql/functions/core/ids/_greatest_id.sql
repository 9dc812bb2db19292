create or replace function pgtrail._greatest_id()
    returns uuid
    language sql
    immutable
    parallel safe
return 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid;

revoke all on function pgtrail._greatest_id() from public, anon;
grant execute on function pgtrail._greatest_id() to authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._greatest_id() is 'Returns the UUID that lies behind the id of every entry.';
