create or replace function pgtrail._role_findings()
    returns table (check_name text, level text, message text, fix text)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select 'roles', 'error',
        format('%s may act as %s', member.rolname, closed.rolname),
        format('revoke %I from %I;', closed.rolname, member.rolname)
    from pg_catalog.pg_roles as member
    join pg_catalog.pg_roles as closed on closed.rolname in ('pgtrail_owner', 'pgtrail_purger')
    where member.rolname in ('anon', 'authenticated', 'authenticator', 'service_role', 'pgtrail_auditor')
        and pg_has_role(member.oid, closed.oid, 'member')
        and not member.rolsuper
    union all
    select 'roles', 'error', format('%s may log in', role.rolname), format('alter role %I nologin;', role.rolname)
    from pg_catalog.pg_roles as role
    where role.rolname in ('pgtrail_owner', 'pgtrail_purger') and role.rolcanlogin;
end;
$$;

revoke all on function pgtrail._role_findings from public, anon, authenticated, service_role;
grant execute on function pgtrail._role_findings to pgtrail_auditor;
comment on function pgtrail._role_findings is
    'Returns each role of the API that may act as pgtrail_owner or pgtrail_purger, and each of these that may log in.';
