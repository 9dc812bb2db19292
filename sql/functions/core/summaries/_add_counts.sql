create or replace function pgtrail._add_counts(hours pgtrail.rollup[])
    returns void
    language plpgsql
    set search_path = pg_catalog, pg_temp
    set timezone = 'UTC'
as $$
begin
    insert into pgtrail.rollup as rollup (trail_name, organisation_id, unit, starts_at, bucket, entries, last_at)
    select part.trail_name, part.organisation_id, 'hour', part.starts_at, part.bucket, part.entries, part.last_at
    from unnest(_add_counts.hours) as part
    union all
    select part.trail_name, part.organisation_id, 'month', date_trunc('month', part.starts_at), part.bucket,
        sum(part.entries), max(part.last_at)
    from unnest(_add_counts.hours) as part
    group by part.trail_name, part.organisation_id, 4, part.bucket
    on conflict on constraint rollup_pkey do update
    set entries = rollup.entries + excluded.entries,
        last_at = greatest(rollup.last_at, excluded.last_at);
end;
$$;

revoke all on function pgtrail._add_counts from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._add_counts is
    'Adds counts of hours, each hour, organisation and bucket of a trail once, to pgtrail.rollup, and to its months.';
