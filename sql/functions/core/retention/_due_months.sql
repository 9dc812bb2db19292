-- This is asked each day: it is answered from the counts, which have a row a month and organisation, and only those old
-- enough for a policy.
create or replace function pgtrail._due_months(trail_name text, as_of timestamptz)
    returns table (
        month           timestamptz,
        organisation_id uuid,
        keep            interval,
        entries         bigint,
        last_at         timestamptz
    )
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set timezone = 'UTC'
as $$
begin
    -- These are two queries, so that each has an index of its own.
    return query
    select rollup.starts_at, rollup.organisation_id, policy.keep, sum(rollup.entries)::bigint, max(rollup.last_at)
    from (
        select own.organisation_id, greatest(own.keep, setting.keep_at_least) as keep
        from pgtrail.retention_policy as own
        cross join pgtrail.retention_setting as setting
        where own.trail_name = _due_months.trail_name and own.organisation_id is not null and own.keep is not null
        offset 0
    ) as policy
    join pgtrail.rollup as rollup
        on rollup.trail_name = _due_months.trail_name
        and rollup.organisation_id = policy.organisation_id
        and rollup.unit = 'month'
        and rollup.starts_at < _due_months.as_of - policy.keep
    group by rollup.starts_at, rollup.organisation_id, policy.keep;

    return query
    select rollup.starts_at, rollup.organisation_id, policy.keep, sum(rollup.entries)::bigint, max(rollup.last_at)
    from (
        select common.trail_name, greatest(common.keep, setting.keep_at_least) as keep
        from pgtrail.retention_policy as common
        cross join pgtrail.retention_setting as setting
        where common.trail_name = _due_months.trail_name and common.organisation_id is null and common.keep is not null
        offset 0
    ) as policy
    join pgtrail.rollup as rollup
        on rollup.trail_name = _due_months.trail_name
        and rollup.unit = 'month'
        and rollup.starts_at < _due_months.as_of - policy.keep
    where not exists (
        select
        from pgtrail.retention_policy as own
        where own.trail_name = _due_months.trail_name and own.organisation_id = rollup.organisation_id)
    group by rollup.starts_at, rollup.organisation_id, policy.keep;
end;
$$;

revoke all on function pgtrail._due_months from public, anon, authenticated, service_role;
grant execute on function pgtrail._due_months to pgtrail_auditor;
comment on function pgtrail._due_months is
    'Returns the months of organisations in which something may be past its policy, or the floor, at as_of: the '
    'month began before as_of - keep. entries and last_at are what is counted of the whole month.';
