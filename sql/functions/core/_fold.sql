create or replace function pgtrail._fold(counts jsonb)
    returns void
    language plpgsql
    set search_path = ''
    set timezone = 'UTC'
as $$
begin
    insert into pgtrail.rollup as rollup (trail_name, organisation_id, unit, starts_at, bucket, entries, last_at)
    select part.trail_name, part.organisation_id, span.unit,
        case span.unit when 'hour' then part.hour else date_trunc('month', part.hour) end as starts_at,
        part.bucket, sum(part.entries), max(part.last_at)
    from jsonb_to_recordset(_fold.counts) as part (
        trail_name text, organisation_id uuid, hour timestamptz, bucket text, entries bigint, last_at timestamptz)
    cross join (values ('hour'), ('month')) as span (unit)
    group by part.trail_name, part.organisation_id, span.unit, 4, part.bucket
    on conflict on constraint rollup_pkey do update
    set entries = rollup.entries + excluded.entries,
        last_at = greatest(rollup.last_at, excluded.last_at);
end;
$$;

revoke all on function pgtrail._fold(jsonb) from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._fold(jsonb) is
    'Adds counts to pgtrail.rollup: [{trail_name, organisation_id, hour, bucket, entries, last_at}].';
