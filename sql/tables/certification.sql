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
    'Acknowledgements of expiring certificates by coordinators, append-only. Write with record_acknowledgement, read '
    'with get_coordinator_acknowledgement_audit.';
comment on column public.coordinator_acknowledgement_audit.id is
    'UUIDv7 of the time of the acknowledgement. The same id sent again is the same entry.';
comment on column public.coordinator_acknowledgement_audit.acknowledged_at is
    'Time of the acknowledgement, taken from the id, to the millisecond.';
comment on column public.coordinator_acknowledgement_audit.coordinator_id is 'Who acknowledged.';
comment on column public.coordinator_acknowledgement_audit.mentor_id is 'Whose certificate it is.';
comment on column public.coordinator_acknowledgement_audit.note is 'What the coordinator wrote. Erasable.';
comment on column public.coordinator_acknowledgement_audit.recorded_at is
    'When the database learned of the event. Set by the database.';
comment on column public.coordinator_acknowledgement_audit.era is
    'Raised after a restore into another cluster. Set by the database.';
comment on column public.coordinator_acknowledgement_audit.tx_id is
    'Transaction that wrote the entry. Set by the database.';
comment on column public.coordinator_acknowledgement_audit.erasure_salt is
    'Salt of the commitment to the note; gone after an erasure. Set by the database.';
