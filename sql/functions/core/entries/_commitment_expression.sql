create or replace function pgtrail._commitment_expression(salt text, value text)
    returns text
    language plpgsql immutable
    set search_path = pg_catalog, pg_temp
as $$
begin
    return format(
        'sha256(%s || convert_to(%s, ''UTF8''))', _commitment_expression.salt, _commitment_expression.value);
end;
$$;

revoke all on function pgtrail._commitment_expression from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._commitment_expression is
    'Returns the SQL expression of what the log has of the value of an erasable column, sha256(salt of the column || '
    'UTF-8 value), from expressions of both. Of a digested column the salt is empty.';
