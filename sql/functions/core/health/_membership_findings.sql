create or replace function pgtrail._membership_findings()
    returns table (check_name text, level text, message text, fix text)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_source record;
    v_found boolean := false;
begin
    check_name := 'membership';
    level := 'error';
    for v_source in
        select distinct class.oid, class.relowner, class.relrowsecurity, class.relforcerowsecurity,
            class.oid::regclass::text as name
        from pg_catalog.pg_rewrite as rule
        join pg_catalog.pg_depend as dependency
            on dependency.classid = 'pg_rewrite'::regclass
            and dependency.objid = rule.oid
            and dependency.refclassid = 'pg_class'::regclass
        join pg_catalog.pg_class as class on class.oid = dependency.refobjid
        where rule.ev_class = 'pgtrail.membership'::regclass and dependency.refobjid <> rule.ev_class
    loop
        v_found := true;
        if not has_table_privilege('pgtrail_owner', v_source.oid, 'select') then
            message := format('pgtrail_owner may not select from %s, which pgtrail.membership reads', v_source.name);
            fix := format('grant select on %s to pgtrail_owner;', v_source.name);
            return next;
        end if;
        if v_source.relrowsecurity
            and (v_source.relforcerowsecurity or not pg_has_role('pgtrail_owner', v_source.relowner, 'usage'))
            and not exists (
                select
                from pg_catalog.pg_policy as policy
                cross join unnest(policy.polroles) as role
                where policy.polrelid = v_source.oid
                    and policy.polpermissive
                    and policy.polcmd in ('r', '*')
                    and case role when 0 then true else pg_has_role('pgtrail_owner', role, 'usage') end
                    and pg_get_expr(policy.polqual, policy.polrelid) = 'true')
        then
            message := format('row level security hides the rows of %s from pgtrail_owner: the view is empty without '
                              'an error', v_source.name);
            fix := format('create policy select_pgtrail on %s for select to pgtrail_owner using (true);',
                          v_source.name);
            return next;
        end if;
    end loop;
    if not v_found then
        message := 'pgtrail.membership reads no table: nobody can read the entries of an organisation';
        fix := 'create or replace view pgtrail.membership as select user_id::text, organisation_id, role::text '
               'from <your members table>;';
        return next;
    end if;
end;
$$;

revoke all on function pgtrail._membership_findings from public, anon, authenticated, service_role;
grant execute on function pgtrail._membership_findings to pgtrail_auditor;
comment on function pgtrail._membership_findings is
    'Returns what keeps pgtrail.membership from having the members of a table.';
