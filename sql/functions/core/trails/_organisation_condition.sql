create or replace function pgtrail._organisation_condition(trail_name text, organisation_id uuid)
    returns text
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_column name;
begin
    select registered.organisation_column into strict v_column
    from pgtrail.trail as registered
    where registered.trail_name = _organisation_condition.trail_name;
    return case
        when _organisation_condition.organisation_id <> pgtrail.platform_organisation()
            then format('entry.%I = %L', v_column, _organisation_condition.organisation_id)
        else format('(entry.%1$I = %2$L or entry.%1$I is null)', v_column, _organisation_condition.organisation_id)
    end;
end;
$$;

revoke all on function pgtrail._organisation_condition from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._organisation_condition is
    'Returns the condition, as SQL over the row "entry" of a trail, under which it counts for an organisation. What '
    'has no organisation counts for the platform.';
