create or replace function pgtrail._retention_period(trail_name text, organisation_id uuid)
    returns interval
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
begin
    return (
        select policy.keep
        from pgtrail.retention_policy as policy
        where policy.trail_name = _retention_period.trail_name
            and (policy.organisation_id = _retention_period.organisation_id or policy.organisation_id is null)
        order by policy.organisation_id nulls last
        limit 1
    );
end;
$$;

revoke all on function pgtrail._retention_period from public, anon, authenticated, service_role;
grant execute on function pgtrail._retention_period to pgtrail_auditor;
comment on function pgtrail._retention_period is
    'Returns how long an organisation''s entries of a trail are kept; null is for ever.';
