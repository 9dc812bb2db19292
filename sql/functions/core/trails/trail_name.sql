create or replace function pgtrail.trail_name(trail regclass)
    returns text
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_trail_name text;
begin
    select registered.trail_name into v_trail_name
    from pgtrail.trail as registered
    where registered.relation = trail_name.trail;
    if v_trail_name is null then
        raise exception '% is not a trail', coalesce(trail_name.trail::text, 'null')
            using errcode = 'invalid_parameter_value',
                  hint = 'Name a trail of pgtrail.trail.';
    end if;
    return v_trail_name;
end;
$$;

revoke all on function pgtrail.trail_name from public, anon, authenticated, service_role, pgtrail_auditor;
grant execute on function pgtrail.trail_name to pgtrail_auditor;
comment on function pgtrail.trail_name is
    'Returns the name under which a table is registered as a trail. Raises 22023 when it is none.';
