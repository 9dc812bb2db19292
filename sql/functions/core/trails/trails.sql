create or replace function pgtrail.trails()
    returns table (trail_name text, relation regclass)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select registered.trail_name, registered.relation
    from pgtrail.trail as registered
    order by registered.trail_name;
end;
$$;

revoke all on function pgtrail.trails from public, anon, authenticated, service_role;
grant execute on function pgtrail.trails to pgtrail_auditor;
comment on function pgtrail.trails is 'Returns the trails of the database, by name.';
