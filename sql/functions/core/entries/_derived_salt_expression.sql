create or replace function pgtrail._derived_salt_expression(row_salt text, column_name name)
    returns text
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set bytea_output = 'hex'
as $$
begin
    return format(
        'sha256(uuid_send(%s) || %L::bytea)',
        _derived_salt_expression.row_salt, convert_to(_derived_salt_expression.column_name, 'UTF8'));
end;
$$;

revoke all on function pgtrail._derived_salt_expression from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._derived_salt_expression is
    'Returns the SQL expression of the salt of one erasable column of an entry, sha256(salt of the row || UTF-8 name '
    'of the column), from the expression of the salt of the row.';
