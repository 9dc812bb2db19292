create or replace function pgtrail._registry_defects()
    returns table (defect text, trail_name text, entry_id uuid, detail text)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_log pgtrail.log;
begin
    select head.* into strict v_log from pgtrail.log as head where head.log_id = 1;

    return query
    select 'log damaged'::text, registered.trail_name, null::uuid, 'pgtrail.entry_format has no format of its entries'
    from pgtrail.trail as registered
    where not exists (
        select from pgtrail.entry_format as format where format.trail_name = registered.trail_name);

    return query
    select 'log damaged'::text, registered.trail_name, null::uuid,
        format('new entries get era %s, the log is in era %s',
               pg_get_expr(expression.adbin, expression.adrelid), v_log.era)
    from pgtrail.trail as registered
    join pg_catalog.pg_attribute as attribute on attribute.attrelid = registered.relation and attribute.attname = 'era'
    left join pg_catalog.pg_attrdef as expression
        on expression.adrelid = attribute.attrelid and expression.adnum = attribute.attnum
    where pg_get_expr(expression.adbin, expression.adrelid) !~ format('^''?%s''?(::smallint)?$', v_log.era);
end;
$$;

revoke all on function pgtrail._registry_defects from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._registry_defects is
    'Returns the defects of what the log knows of trails: a missing entry format, and another era than '
    'that of the log.';
