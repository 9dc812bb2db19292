-- What pgtrail doctor shows besides the schema.
create or replace function pgtrail.findings()
    returns table (check_name text, level text, message text, fix text)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select found.* from pgtrail._guard_findings() as found
    union all
    select found.* from pgtrail._row_security_findings() as found
    union all
    select found.* from pgtrail._partition_findings() as found
    union all
    select found.* from pgtrail._privilege_findings() as found
    union all
    select found.* from pgtrail._membership_findings() as found
    union all
    select found.* from pgtrail._role_findings() as found;
end;
$$;

revoke all on function pgtrail.findings from public, anon, authenticated, service_role;
grant execute on function pgtrail.findings to pgtrail_auditor;
comment on function pgtrail.findings is
    'Returns what is wrong with how trails, roles and memberships are set up, with the statement that mends it, to be '
    'run after set role pgtrail_owner; no row when nothing is. What health() says of guards, row security and grants '
    'is counted here. Changes nothing.';
