create or replace function pgtrail._organisation_expression(tracked pgtrail.tracked_table, version text)
    returns text
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
begin
    return coalesce(
        (
            select format('%s.%I', _organisation_expression.version, attribute.attname)
            from pg_catalog.pg_attribute as attribute
            where attribute.attrelid = (_organisation_expression.tracked).relation
                and attribute.attname = (_organisation_expression.tracked).organisation_column
                and attribute.atttypid = 'uuid'::regtype
                and not attribute.attisdropped
        ),
        'null::uuid');
end;
$$;

revoke all on function pgtrail._organisation_expression from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._organisation_expression is
    'Returns the SQL expression of the tenant of a version of a row (new, old): NULL where the table names none.';
