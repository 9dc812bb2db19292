create or replace function pgtrail._guard_findings()
    returns table (check_name text, level text, message text, fix text)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    -- It may be gone: that is found, too.
    v_guard oid := to_regprocedure('pgtrail.tg__refuse_change()')::oid;
begin
    return query
    select 'guards', 'error',
        format('%s: trigger %s %s', expected.name, expected.guard, case
            when actual.oid is null then 'is missing'
            when actual.tgfoid is distinct from v_guard then 'calls another function'
            else 'is not enabled always'
        end),
        case when actual.tgfoid is not null and actual.tgfoid is distinct from v_guard
            then format('drop trigger %I on %s; ', expected.guard, expected.name) else '' end
            || case when actual.tgfoid is distinct from v_guard
                then format('create trigger %I before %s on %s for each %s execute function '
                            'pgtrail.tg__refuse_change(); ',
                            expected.guard, expected.events, expected.name, expected.level) else '' end
            || format('alter table %s enable always trigger %I;', expected.name, expected.guard)
    from (
        select own.relation, own.name, guard.name as guard, guard.events, guard.level
        from pgtrail._trail_tables() as own
        cross join (values
            ('refuse_change_of_statement', 'update or delete or truncate', 'statement'),
            ('refuse_change_of_row', 'update or delete', 'row')
        ) as guard (name, events, level)
    ) as expected
    left join pg_catalog.pg_trigger as actual
        on actual.tgrelid = expected.relation and actual.tgname = expected.guard
    where actual.tgenabled is distinct from 'A'
        or actual.tgfoid is distinct from v_guard;
end;
$$;

revoke all on function pgtrail._guard_findings from public, anon, authenticated, service_role;
grant execute on function pgtrail._guard_findings to pgtrail_auditor;
comment on function pgtrail._guard_findings is
    'Returns each guard of a trail or partition that is missing, calls another function, or is not enabled always.';
