create table pgtrail.alert (
    alert_id        uuid primary key default pgtrail.uuid7(),
    severity        text not null,
    kind            text not null,
    organisation_id uuid,
    payload         jsonb not null default '{}',
    raised_at       timestamptz not null default clock_timestamp(),
    resolved_at     timestamptz,

    constraint severity_is_warning_or_critical check (severity in ('warning', 'critical'))
);
create unique index alert_is_open_once on pgtrail.alert (kind, organisation_id) nulls not distinct
    where resolved_at is null;
revoke all on pgtrail.alert from public, anon, authenticated, service_role, pgtrail_auditor;
grant select on pgtrail.alert to service_role, pgtrail_auditor;
comment on table pgtrail.alert is 'What operations must look at. One open alert a kind and organisation.';
comment on column pgtrail.alert.alert_id is 'The alert; pg_notify(pgtrail_alert) carries it.';
comment on column pgtrail.alert.kind is 'What it is about, such as a check of health().';
comment on column pgtrail.alert.payload is 'Details, without personal data.';
comment on column pgtrail.alert.raised_at is 'When it was raised first.';
comment on column pgtrail.alert.resolved_at is 'When it was over; null while it is not.';
