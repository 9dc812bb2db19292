set role pgtrail_owner;

-- Limits of single columns are domains, as in audit_log: cheaper on INSERT than checks of the table.
create domain pgtrail.safe_error as text
    constraint error_is_of_the_safe_vocabulary check (value is null or value = pgtrail.safe_error(value));
create domain pgtrail.certificate_type as text
    constraint certificate_type_has_1_to_200_characters check (char_length(value) between 1 and 200);
create domain pgtrail.note as text
    constraint note_has_at_most_2000_characters check (char_length(value) <= 2000);
create domain pgtrail.http_status as int
    constraint http_status_is_100_to_599 check (value between 100 and 599);
create domain pgtrail.badges as jsonb
    constraint badges_is_an_array_of_uuids check (pgtrail._is_array_of_uuids(value))
    constraint badges_has_at_most_64_kib check (pg_column_size(value) <= 65536);
create domain pgtrail.outcomes as jsonb
    constraint outcomes_is_an_object_of_booleans
        check (pgtrail._is_object_of_booleans(value))
    constraint outcomes_has_at_most_64_kib check (pg_column_size(value) <= 65536);
comment on domain pgtrail.safe_error is 'What went wrong, in words of pgtrail.safe_error() and nothing else: <context>.<kind>.';
comment on domain pgtrail.certificate_type is 'Kind of a certificate: 1 to 200 characters.';
comment on domain pgtrail.note is 'Free text: at most 2000 characters.';
comment on domain pgtrail.http_status is 'Status code of an HTTP response: 100 to 599.';
comment on domain pgtrail.badges is 'JSON array of badge definition ids (UUIDs as text), at most 64 KiB in its binary form.';
comment on domain pgtrail.outcomes is 'JSON object of booleans, by badge definition id, at most 64 KiB in its binary form.';

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

-- "What happened to this mentor?" and "what has failed?". A filter by outcome is not leakproof: under row level security
-- no index on the column serves it, but one of the failures alone does, and they are few.
create index hlf_sync_audit_log_organisation_id_mentor_id_id_idx
    on public.hlf_sync_audit_log (organisation_id, mentor_id, id);
create index hlf_sync_audit_log_organisation_id_id_failed_idx
    on public.hlf_sync_audit_log (organisation_id, id) where outcome <> 'success';

comment on table public.hlf_sync_audit_log is
    'Attempts to remove a mentor from the public website or to restore one: one row an attempt, append-only. Write with record_hlf_sync_attempt, read with get_hlf_sync_audit.';
comment on column public.hlf_sync_audit_log.id is 'UUIDv7 of the time of the attempt. The same id sent again is the same entry.';
comment on column public.hlf_sync_audit_log.attempted_at is 'Time of the attempt, taken from the id, to the millisecond.';
comment on column public.hlf_sync_audit_log.organisation_id is 'Tenant.';
comment on column public.hlf_sync_audit_log.mentor_id is 'The mentor.';
comment on column public.hlf_sync_audit_log.sync_direction is 'remove or restore.';
comment on column public.hlf_sync_audit_log.outcome is 'success, retryable_failure or dead_letter.';
comment on column public.hlf_sync_audit_log.portal_response_code is 'HTTP status that the portal answered with; null when it did not answer.';
comment on column public.hlf_sync_audit_log.retry_count is 'How many attempts of the same job came before this one.';
comment on column public.hlf_sync_audit_log.source is 'What started the attempt.';
comment on column public.hlf_sync_audit_log.error_code is 'What went wrong, as pgtrail.safe_error says it.';
comment on column public.hlf_sync_audit_log.sync_job_id is 'The job that the attempt belongs to.';
comment on column public.hlf_sync_audit_log.requested_by is 'Who asked for it, where a person did: forced and break-glass syncs.';
comment on column public.hlf_sync_audit_log.recorded_at is 'When the database learned of the event. Set by the database.';
comment on column public.hlf_sync_audit_log.era is 'Raised after a restore into another cluster. Set by the database.';
comment on column public.hlf_sync_audit_log.tx_id is 'Transaction that wrote the entry. Set by the database.';

create table public.coordinator_acknowledgement_audit (
    id               uuid not null default pgtrail.uuid7(),
    acknowledged_at  timestamptz generated always as (pgtrail.uuid7_time(id)) stored,
    organisation_id  uuid not null,
    coordinator_id   uuid not null,
    mentor_id        uuid not null,
    notification_id  uuid,
    certificate_type pgtrail.certificate_type not null,
    threshold_tier   public.threshold_tier not null,
    note             pgtrail.note,
    recorded_at      timestamptz not null default clock_timestamp(),
    era              smallint not null default 0,
    tx_id            xid8 not null default pg_current_xact_id(),
    erasure_salt     uuid default gen_random_uuid(),

    primary key (id)
) partition by range (id);

-- "What did this coordinator acknowledge?"
create index coordinator_acknowledgement_audit_coordinator_id_id_idx
    on public.coordinator_acknowledgement_audit (organisation_id, coordinator_id, id);

comment on table public.coordinator_acknowledgement_audit is
    'Acknowledgements of expiring certificates by coordinators, append-only. Write with record_acknowledgement, read with get_coordinator_acknowledgement_audit.';
comment on column public.coordinator_acknowledgement_audit.id is 'UUIDv7 of the time of the acknowledgement. The same id sent again is the same entry.';
comment on column public.coordinator_acknowledgement_audit.acknowledged_at is 'Time of the acknowledgement, taken from the id, to the millisecond.';
comment on column public.coordinator_acknowledgement_audit.organisation_id is 'Tenant.';
comment on column public.coordinator_acknowledgement_audit.coordinator_id is 'Who acknowledged.';
comment on column public.coordinator_acknowledgement_audit.mentor_id is 'Whose certificate it is.';
comment on column public.coordinator_acknowledgement_audit.notification_id is 'The notification that was acknowledged.';
comment on column public.coordinator_acknowledgement_audit.certificate_type is 'Kind of the certificate.';
comment on column public.coordinator_acknowledgement_audit.threshold_tier is 'advance_60, warning_30, urgent_7 or lapsed.';
comment on column public.coordinator_acknowledgement_audit.note is 'What the coordinator wrote. Erasable.';
comment on column public.coordinator_acknowledgement_audit.recorded_at is 'When the database learned of the event. Set by the database.';
comment on column public.coordinator_acknowledgement_audit.era is 'Raised after a restore into another cluster. Set by the database.';
comment on column public.coordinator_acknowledgement_audit.tx_id is 'Transaction that wrote the entry. Set by the database.';
comment on column public.coordinator_acknowledgement_audit.erasure_salt is 'Salt of the commitment to the note; gone after an erasure. Set by the database.';

create table public.badge_evaluation_logs (
    id                uuid not null default pgtrail.uuid7(),
    triggered_at      timestamptz generated always as (pgtrail.uuid7_time(id)) stored,
    org_id            uuid not null,
    peer_mentor_id    uuid not null,
    activity_id       uuid,
    badges_evaluated  pgtrail.badges not null default '[]',
    criteria_outcomes pgtrail.outcomes not null default '{}',
    badges_awarded    uuid[] not null default '{}',
    error_message     pgtrail.safe_error,
    duration_ms       int not null,
    recorded_at       timestamptz not null default clock_timestamp(),
    era               smallint not null default 0,
    tx_id             xid8 not null default pg_current_xact_id(),

    primary key (id),
    constraint duration_ms_is_1_or_more check (duration_ms >= 1),
    constraint awarded_badges_were_evaluated_as_true check (
        badges_awarded = '{}'
        or pgtrail._are_true_outcomes(badges_awarded, badges_evaluated, criteria_outcomes))
) partition by range (id);

-- "What was evaluated in this organisation?" and "for this mentor?"
create index idx_eval_logs_org on public.badge_evaluation_logs (org_id, id);
create index idx_eval_logs_mentor on public.badge_evaluation_logs (peer_mentor_id, id);

comment on table public.badge_evaluation_logs is
    'Runs of the evaluation of badges: one row a run, append-only. Write with record_badge_evaluation, read with get_badge_evaluation_logs.';
comment on column public.badge_evaluation_logs.id is 'UUIDv7 of the time of the run. The same id sent again is the same entry.';
comment on column public.badge_evaluation_logs.triggered_at is 'Time of the run, taken from the id, to the millisecond.';
comment on column public.badge_evaluation_logs.org_id is 'Tenant.';
comment on column public.badge_evaluation_logs.peer_mentor_id is 'Whose badges were evaluated.';
comment on column public.badge_evaluation_logs.activity_id is 'The activity that triggered the run; null for a reconciliation.';
comment on column public.badge_evaluation_logs.badges_evaluated is 'JSON array of the badge definitions that were checked.';
comment on column public.badge_evaluation_logs.criteria_outcomes is 'JSON object: badge definition -> whether its criteria are met.';
comment on column public.badge_evaluation_logs.badges_awarded is 'Badges that the run newly awarded.';
comment on column public.badge_evaluation_logs.error_message is 'What went wrong, as pgtrail.safe_error says it.';
comment on column public.badge_evaluation_logs.duration_ms is 'How long the run took, in milliseconds, rounded up.';
comment on column public.badge_evaluation_logs.recorded_at is 'When the database learned of the event. Set by the database.';
comment on column public.badge_evaluation_logs.era is 'Raised after a restore into another cluster. Set by the database.';
comment on column public.badge_evaluation_logs.tx_id is 'Transaction that wrote the entry. Set by the database.';

select pgtrail.create_trail('public.hlf_sync_audit_log', 'organisation_id');
select pgtrail.create_trail('public.coordinator_acknowledgement_audit', 'organisation_id', erasable => '{note}');
select pgtrail.create_trail('public.badge_evaluation_logs', 'org_id', digested => '{badges_evaluated,criteria_outcomes}');

-- Counts what is sealed already, too.
select pgtrail.set_summary(relation, case trail_name
    when 'audit_log' then 'entry.action'
    when 'hlf_sync_audit_log' then 'entry.outcome'
    when 'coordinator_acknowledgement_audit' then 'entry.threshold_tier'
    when 'badge_evaluation_logs' then
        'case when entry.error_message is not null then ''failed'' '
        'when entry.badges_awarded = ''{}'' then ''not_awarded'' else ''awarded'' end'
end)
from pgtrail.trail;

reset role;
