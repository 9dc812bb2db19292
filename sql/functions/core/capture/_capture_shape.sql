create or replace function pgtrail._capture_shape(relation regclass)
    returns text
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
begin
    return (
        select (
            -- A new version of pgtrail may make them otherwise.
            select md5(string_agg(maker.prosrc, '' order by maker.proname))
            from pg_catalog.pg_proc as maker
            where maker.pronamespace = 'pgtrail'::regnamespace
                and maker.proname in (
                    '_make_capture', '_capture_body', '_capture_query', '_changes_expression', '_key_expression',
                    '_organisation_expression', '_value_expression')
        ) || ' ' || _capture_shape.relation::text || ' ' || coalesce(string_agg(
            format(
                '%s %I %s', attribute.attnum, attribute.attname,
                format_type(attribute.atttypid, attribute.atttypmod)),
            ', ' order by attribute.attnum), '')
            || coalesce(' key ' || (
                select key.indkey::text
                from pg_catalog.pg_index as key
                where key.indrelid = _capture_shape.relation and key.indisprimary), '')
        from pg_catalog.pg_attribute as attribute
        where attribute.attrelid = _capture_shape.relation and attribute.attnum > 0 and not attribute.attisdropped
    );
end;
$$;

revoke all on function pgtrail._capture_shape from public, anon, authenticated, service_role;
grant execute on function pgtrail._capture_shape to pgtrail_auditor;
comment on function pgtrail._capture_shape is
    'Returns what captures of a table depend on, as text: the functions that make its trigger function, its name, its '
    'columns with their types, and its primary key.';
