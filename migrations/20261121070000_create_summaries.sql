set role pgtrail_owner;

-- pgtrail.page has taken the place of the first; the second is created again with more columns.
drop function pgtrail.page_bounds(text, uuid, timestamptz, timestamptz, text[], int, int, text);
drop function pgtrail._entries(smallint, xid8, text, uuid, xid8, text, uuid, int, bigint, text[]);

alter table pgtrail.trail add column bucket text;
comment on column pgtrail.trail.bucket is
    'SQL expression over the row "entry": what summaries of the trail count by. Null: one number for all. Set by set_summary().';

create table pgtrail.rollup (
    trail_name      text not null references pgtrail.trail (trail_name),
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
alter table pgtrail.rollup enable row level security;
create policy select_member on pgtrail.rollup for select to authenticated
    using (organisation_id = any ((select pgtrail.readable_organisations())::uuid[]));
create policy select_auditor on pgtrail.rollup for select to pgtrail_auditor using (true);
create policy select_service on pgtrail.rollup for select to service_role using (true);
revoke all on pgtrail.rollup from public, anon, authenticated, service_role, pgtrail_auditor;
grant select on pgtrail.rollup to authenticated, service_role, pgtrail_auditor;
comment on table pgtrail.rollup is
    'Counts of entries by organisation, hour or month (UTC) of the event, and bucket. Kept by seal(): an entry is counted here once its seal has passed it, and live until then.';
comment on column pgtrail.rollup.trail_name is 'The trail.';
comment on column pgtrail.rollup.organisation_id is 'The tenant.';
comment on column pgtrail.rollup.unit is 'hour or month. Every entry is in one of each.';
comment on column pgtrail.rollup.starts_at is 'Beginning of the hour or month.';
comment on column pgtrail.rollup.bucket is 'Value of the bucket of the trail.';
comment on column pgtrail.rollup.entries is 'How many.';
comment on column pgtrail.rollup.last_at is 'Time of the newest event among them.';

create type public.threshold_tier as enum ('advance_60', 'warning_30', 'urgent_7', 'lapsed');
comment on type public.threshold_tier is 'How near a certificate is to its end: 60, 30, 7 days, or past it.';
create type public.sync_direction as enum ('remove', 'restore');
comment on type public.sync_direction is 'Whether a mentor is taken off the public website or put back.';
create type public.sync_outcome as enum ('success', 'retryable_failure', 'dead_letter');
comment on type public.sync_outcome is 'How an attempt ended: done, to be tried again, or given up.';
create type public.sync_source as enum ('status_transition', 'nightly_batch', 'reconciliation', 'force_sync', 'break_glass');
comment on type public.sync_source is 'What started an attempt.';

reset role;
