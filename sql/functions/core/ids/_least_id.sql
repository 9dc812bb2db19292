create or replace function pgtrail._least_id()
    returns uuid
    language sql
    immutable
    parallel safe
return '00000000-0000-0000-0000-000000000000'::uuid;

revoke all on function pgtrail._least_id() from public, anon;
grant execute on function pgtrail._least_id() to authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._least_id() is 'Returns the UUID that lies before the id of every entry.';
