create or replace function pgtrail._counted_columns_expression(trail_name text)
    returns text
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_trail pgtrail.trail;
begin
    select registered.* into strict v_trail
    from pgtrail.trail as registered
    where registered.trail_name = _counted_columns_expression.trail_name;
    return format(
        'coalesce(entry.%I, %L::uuid) as organisation_id, '
        'entry.%I as at, coalesce((%s)::text, ''none'') as bucket',
        v_trail.organisation_column, pgtrail.platform_organisation(), v_trail.time_column,
        coalesce(v_trail.bucket, '''all'''));
end;
$$;

revoke all on function pgtrail._counted_columns_expression
    from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._counted_columns_expression is
    'Returns the columns organisation_id, at and bucket of the row "entry" of a trail, as SQL: what it is counted by.';
