-- Only sealing and recounting write here: to check a foreign key to pgtrail.trail cost them a third of that.
create table pgtrail.rollup (
    trail_name      text not null,
    organisation_id uuid not null,
    unit            text not null,
    starts_at       timestamptz not null,
    bucket          text not null,
    entries         bigint not null,
    last_at         timestamptz not null,

    primary key (trail_name, organisation_id, unit, starts_at, bucket),
    constraint unit_is_hour_or_month check (unit in ('hour', 'month')),
    constraint entries_is_positive check (entries > 0)
)
-- The same row is counted up again and again, and is the only version that anybody reads.
with (fillfactor = 80);
-- Retention asks each day which months are old enough for a policy, of whatever organisation.
create index rollup_trail_name_starts_at_organisation_id_idx on pgtrail.rollup (trail_name, starts_at, organisation_id)
    where unit = 'month';
alter table pgtrail.rollup enable row level security;
revoke all on pgtrail.rollup from public, anon, authenticated, service_role, pgtrail_auditor;
grant select on pgtrail.rollup to authenticated, service_role, pgtrail_auditor;
comment on table pgtrail.rollup is
    'Counts of entries by organisation, hour or month (UTC) of the event, and bucket. Kept by seal(): an entry is '
    'counted here once its seal has passed it, and live until then.';
comment on column pgtrail.rollup.unit is 'hour or month. Every entry is in one of each.';
comment on column pgtrail.rollup.starts_at is 'Beginning of the hour or month.';
comment on column pgtrail.rollup.last_at is 'Time of the newest event among them.';
