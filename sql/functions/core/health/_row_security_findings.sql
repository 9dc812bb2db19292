create or replace function pgtrail._row_security_findings()
    returns table (check_name text, level text, message text, fix text)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select 'row security', 'error',
        format('%s: row level security is off', own.name),
        format('alter table %s enable row level security;', own.name)
    from pgtrail._trail_tables() as own
    join pg_catalog.pg_class as class on class.oid = own.relation
    where not class.relrowsecurity
    union all
    select 'row security', 'error',
        format('%s: policy %I lets somebody read around the trail', own.name, policy.polname),
        format('drop policy %I on %s;', policy.polname, own.name)
    from pgtrail._trail_tables() as own
    join pg_catalog.pg_policy as policy on policy.polrelid = own.relation
    where own.is_partition and pg_get_expr(policy.polqual, policy.polrelid) is distinct from 'false';
end;
$$;

revoke all on function pgtrail._row_security_findings from public, anon, authenticated, service_role;
grant execute on function pgtrail._row_security_findings to pgtrail_auditor;
comment on function pgtrail._row_security_findings is
    'Returns each trail or partition without row level security, and each policy that opens a partition.';
