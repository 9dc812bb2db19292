create or replace function pgtrail._kept_salt_expression(trail_name text, column_name name)
    returns text
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
begin
    return format(
        'coalesce(%s, (select erasure.salt from pgtrail.erasure as erasure where erasure.trail_name = %L '
        'and erasure.entry_id = entry.id and erasure.column_name = %L))',
        pgtrail._derived_salt_expression('entry.erasure_salt', _kept_salt_expression.column_name),
        _kept_salt_expression.trail_name, _kept_salt_expression.column_name);
end;
$$;

revoke all on function pgtrail._kept_salt_expression from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._kept_salt_expression is
    'Returns the SQL expression of the salt of an erasable column of the row "entry", also when another column of it '
    'was erased.';
