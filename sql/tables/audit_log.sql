create table public.audit_log (
    id              uuid not null default pgtrail.uuid7(),
    occurred_at     timestamptz generated always as (pgtrail.uuid7_time(id)) stored,
    organisation_id uuid not null,
    actor_id        pgtrail.actor_id,
    actor_kind      pgtrail.actor_kind not null default 'service',
    impersonator_id pgtrail.actor_id,
    database_role   text not null default current_user,
    action          pgtrail.action not null,
    entity_type     pgtrail.entity_type,
    entity_id       pgtrail.entity_id,
    changes         pgtrail.document,
    details         pgtrail.document,
    ip_address      inet,
    user_agent      pgtrail.user_agent,
    request_id      pgtrail.request_id,
    trace_id        pgtrail.trace_id,
    recorded_at     timestamptz not null default clock_timestamp(),
    era             smallint not null default 0,
    tx_id           xid8 not null default pg_current_xact_id(),
    erasure_salt    uuid default gen_random_uuid(),

    primary key (id),
    constraint actor_fits_its_kind check (case actor_kind
        when 'user' then actor_id is not null and impersonator_id is null
        when 'impersonated' then actor_id is not null and impersonator_id is not null
        else impersonator_id is null
    end),
    constraint entity_id_has_a_type check (entity_id is null or entity_type is not null)
) partition by range (id);

-- "What did this user do?" and "what happened to this record?"; the trail brings the index on (organisation_id, id).
create index audit_log_organisation_id_actor_id_id_idx
    on public.audit_log (organisation_id, actor_id, id) where actor_id is not null;
create index audit_log_organisation_id_entity_type_entity_id_id_idx
    on public.audit_log (organisation_id, entity_type, entity_id, id) where entity_type is not null;

comment on table public.audit_log is
    'General audit log: one row an event, append-only. Write with record_audit_event, read with get_audit_log.';
comment on column public.audit_log.id is 'UUIDv7 of the time of the event. The same id sent again is the same entry.';
comment on column public.audit_log.occurred_at is 'Time of the event, taken from the id, to the millisecond.';
comment on column public.audit_log.organisation_id is
    'Tenant. The all-zero platform organisation for events of no single one.';
comment on column public.audit_log.actor_id is 'Who did it, as the identity provider names them.';
comment on column public.audit_log.actor_kind is 'user, service, system or impersonated.';
comment on column public.audit_log.impersonator_id is 'Who acted in the name of actor_id.';
comment on column public.audit_log.database_role is 'Database role that wrote the entry. Set by the database.';
comment on column public.audit_log.action is 'What happened, such as invoice.approved.';
comment on column public.audit_log.entity_type is 'Kind of the thing it happened to.';
comment on column public.audit_log.entity_id is 'Identifier of the thing it happened to.';
comment on column public.audit_log.changes is 'What changed, as {"column": {"old": ..., "new": ...}}. Erasable.';
comment on column public.audit_log.details is 'Anything else worth keeping. Erasable.';
comment on column public.audit_log.ip_address is 'Address of the client. Erasable.';
comment on column public.audit_log.user_agent is 'User agent of the client. Erasable.';
comment on column public.audit_log.recorded_at is 'When the database learned of the event. Set by the database.';
comment on column public.audit_log.era is 'Raised after a restore into another cluster. Set by the database.';
comment on column public.audit_log.tx_id is 'Transaction that wrote the entry. Set by the database.';
comment on column public.audit_log.erasure_salt is
    'Salt of the commitments to erasable columns; gone after an erasure. Set by the database.';
