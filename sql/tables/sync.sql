create table public.hlf_sync_audit_log (
    id                   uuid not null default pgtrail.uuid7(),
    attempted_at         timestamptz generated always as (pgtrail.uuid7_time(id)) stored,
    organisation_id      uuid not null,
    mentor_id            uuid not null,
    sync_direction       public.sync_direction not null,
    outcome              public.sync_outcome not null,
    portal_response_code pgtrail.http_status,
    retry_count          int not null default 0,
    source               public.sync_source not null,
    error_code           pgtrail.safe_error,
    sync_job_id          uuid,
    requested_by         pgtrail.actor_id,
    recorded_at          timestamptz not null default clock_timestamp(),
    era                  smallint not null default 0,
    tx_id                xid8 not null default pg_current_xact_id(),

    primary key (id),
    constraint retry_count_is_not_negative check (retry_count >= 0)
) partition by range (id);

-- "What happened to this mentor?" and "what has failed?". A filter by outcome is not leakproof: under row level
-- security no index on the column serves it, but one of the failures alone does, and they are few.
create index hlf_sync_audit_log_organisation_id_mentor_id_id_idx
    on public.hlf_sync_audit_log (organisation_id, mentor_id, id);
create index hlf_sync_audit_log_organisation_id_id_failed_idx
    on public.hlf_sync_audit_log (organisation_id, id) where outcome <> 'success';

comment on table public.hlf_sync_audit_log is
    'Attempts to remove a mentor from the public website or to restore one: one row an attempt, append-only. Write '
    'with record_hlf_sync_attempt, read with get_hlf_sync_audit.';
comment on column public.hlf_sync_audit_log.id is
    'UUIDv7 of the time of the attempt. The same id sent again is the same entry.';
comment on column public.hlf_sync_audit_log.attempted_at is
    'Time of the attempt, taken from the id, to the millisecond.';
comment on column public.hlf_sync_audit_log.portal_response_code is
    'HTTP status that the portal answered with; null when it did not answer.';
comment on column public.hlf_sync_audit_log.retry_count is 'How many attempts of the same job came before this one.';
comment on column public.hlf_sync_audit_log.source is 'What started the attempt.';
comment on column public.hlf_sync_audit_log.error_code is 'What went wrong, as pgtrail.safe_error says it.';
comment on column public.hlf_sync_audit_log.sync_job_id is 'The job that the attempt belongs to.';
comment on column public.hlf_sync_audit_log.requested_by is
    'Who asked for it, where a person did: forced and break-glass syncs.';
comment on column public.hlf_sync_audit_log.recorded_at is
    'When the database learned of the event. Set by the database.';
comment on column public.hlf_sync_audit_log.era is 'Raised after a restore into another cluster. Set by the database.';
comment on column public.hlf_sync_audit_log.tx_id is 'Transaction that wrote the entry. Set by the database.';
