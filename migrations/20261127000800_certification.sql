-- Made of sql/ by `npm run db:build`; never edited.

set role pgtrail_owner;

alter type pgtrail.error_context add value if not exists 'certificate';
alter type pgtrail.error_context add value if not exists 'notification';
create type public.threshold_tier as enum ('advance_60', 'warning_30', 'urgent_7', 'lapsed');
comment on type public.threshold_tier is 'How near a certificate is to its end: 60, 30, 7 days, or past it.';
-- Limits of single columns are domains, as in audit_log: cheaper on INSERT than checks of the table.
create domain pgtrail.certificate_type as text
    constraint certificate_type_has_1_to_200_characters check (char_length(value) between 1 and 200);
comment on domain pgtrail.certificate_type is 'Kind of a certificate: 1 to 200 characters.';
create domain pgtrail.note as text
    constraint note_has_at_most_2000_characters check (char_length(value) <= 2000);
comment on domain pgtrail.note is 'Free text: at most 2000 characters.';

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

create or replace function public.get_coordinator_acknowledgement_audit(
    p_organisation_id uuid,
    p_from_date       timestamptz default null,
    p_to_date         timestamptz default null,
    p_coordinator_id  uuid default null,
    p_page            int default 1,
    p_page_size       int default 50,
    p_cursor          text default null
)
    returns table (
        id               uuid,
        acknowledged_at  timestamptz,
        organisation_id  uuid,
        coordinator_id   uuid,
        mentor_id        uuid,
        notification_id  uuid,
        certificate_type text,
        threshold_tier   public.threshold_tier,
        note             text,
        recorded_at      timestamptz,
        next_page        text
    )
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    -- A generic plan that looks up each entry of the page by its id.
    set plan_cache_mode = force_generic_plan set enable_hashjoin = off set enable_mergejoin = off set jit = off
as $$
begin
    return query
    select
        entry.id,
        entry.acknowledged_at,
        entry.organisation_id,
        entry.coordinator_id,
        entry.mentor_id,
        entry.notification_id,
        entry.certificate_type::text,
        entry.threshold_tier,
        entry.note::text,
        entry.recorded_at,
        page.next_page
    from pgtrail.page(
        'get_coordinator_acknowledgement_audit', 'public.coordinator_acknowledgement_audit', 'organisation_id',
        p_organisation_id, p_from_date, p_to_date,
        jsonb_build_object('coordinator_id', p_coordinator_id), p_page, p_page_size, p_cursor) as page
    join public.coordinator_acknowledgement_audit as entry on entry.id = page.id
    order by page.id desc;
end;
$$;

revoke all on function public.get_coordinator_acknowledgement_audit(
    uuid, timestamptz, timestamptz, uuid, int, int, text) from public, anon;
grant execute on function public.get_coordinator_acknowledgement_audit(
    uuid, timestamptz, timestamptz, uuid, int, int, text)
    to authenticated, service_role, pgtrail_auditor;
comment on function public.get_coordinator_acknowledgement_audit(
    uuid, timestamptz, timestamptz, uuid, int, int, text) is
    'Returns one page of an organisation''s acknowledgements of expiring certificates, newest first.
Times are [from, to); null is open. p_page_size is 1 to 200. next_page is null on every row but the last, which holds '
    'the cursor of the next page, or null when there is none: pass it as p_cursor with the same filters. p_page '
    'counts from 1 and gets slower with depth, a cursor does not. Raises 22023 (bad argument), 22P02 (cursor altered '
    'or of another query), 42501 (organisation the caller may not read).';

create or replace function public.record_acknowledgement(
    p_organisation_id  uuid,
    p_coordinator_id   uuid,
    p_mentor_id        uuid,
    p_certificate_type text,
    p_threshold_tier   public.threshold_tier,
    p_notification_id  uuid default null,
    p_note             text default null,
    p_acknowledged_at  timestamptz default null,
    p_id               uuid default null
)
    returns uuid
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_id uuid := pgtrail.event_id('public.coordinator_acknowledgement_audit', p_id, p_acknowledged_at);
begin
    insert into public.coordinator_acknowledgement_audit (
        id, organisation_id, coordinator_id, mentor_id, certificate_type, threshold_tier,
        notification_id, note
    )
    values (
        v_id,
        p_organisation_id,
        p_coordinator_id,
        p_mentor_id,
        p_certificate_type,
        p_threshold_tier,
        p_notification_id,
        p_note
    )
    on conflict (id) do nothing;

    return v_id;
end;
$$;

revoke all on function public.record_acknowledgement(
    uuid, uuid, uuid, text, public.threshold_tier, uuid, text, timestamptz, uuid)
    from public, anon, authenticated, pgtrail_auditor;
grant execute on function public.record_acknowledgement(
    uuid, uuid, uuid, text, public.threshold_tier, uuid, text, timestamptz, uuid)
    to service_role;
comment on function public.record_acknowledgement(
    uuid, uuid, uuid, text, public.threshold_tier, uuid, text, timestamptz, uuid) is
    'Records one acknowledgement of an expiring certificate in coordinator_acknowledgement_audit and returns its id.
Retries send the same p_id (a UUIDv7 of the time of the event): an id that is there already is success. '
    'p_acknowledged_at is for events of the past; without it and p_id the event happened now. '
    'Raises 22023 (bad id), 23514 (future, no partition, text too long), 23502 (something required is missing).';

select pgtrail.create_trail('public.coordinator_acknowledgement_audit', 'organisation_id', erasable => '{note}');
select pgtrail.set_summary('public.coordinator_acknowledgement_audit', 'entry.threshold_tier');

reset role;
