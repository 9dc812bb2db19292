create or replace function pgtrail._privilege_findings()
    returns table (check_name text, level text, message text, fix text)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select 'privileges', 'error',
        format('%s: %s has %s', held.name, held.grantee, lower(held.privilege_type)),
        format('revoke %s on %s from %s;', lower(held.privilege_type), held.name, held.grantee)
    from (
        select own.name, own.is_partition, item.privilege_type,
            case item.grantee when 0 then 'public' else item.grantee::regrole::text end as grantee
        from pgtrail._trail_tables() as own
        join pg_catalog.pg_class as class on class.oid = own.relation
        cross join aclexplode(class.relacl) as item
        where item.grantee <> class.relowner
    ) as held
    where held.is_partition
        or not (
            held.privilege_type = 'SELECT'
                and held.grantee in ('authenticated', 'service_role', 'pgtrail_auditor', 'pgtrail_purger')
            -- The door of purges and erasures.
            or held.privilege_type in ('UPDATE', 'DELETE') and held.grantee = 'pgtrail_purger')
    union all
    select 'privileges', 'error',
        format('%s: pgtrail_owner does not own it, %s does', own.name, class.relowner::regrole),
        format('alter table %s owner to pgtrail_owner;', own.name)
    from pgtrail._trail_tables() as own
    join pg_catalog.pg_class as class on class.oid = own.relation
    where class.relowner <> 'pgtrail_owner'::regrole;
end;
$$;

revoke all on function pgtrail._privilege_findings from public, anon, authenticated, service_role;
grant execute on function pgtrail._privilege_findings to pgtrail_auditor;
comment on function pgtrail._privilege_findings is
    'Returns each privilege on a trail or partition that nobody should have, and each that pgtrail_owner does not own.';
