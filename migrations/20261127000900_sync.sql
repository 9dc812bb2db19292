-- Made of sql/ by `npm run db:build`; never edited.

set role pgtrail_owner;

alter type pgtrail.error_context add value if not exists 'portal';
create type public.sync_direction as enum ('remove', 'restore');
comment on type public.sync_direction is 'Whether a mentor is taken off the public website or put back.';
create type public.sync_outcome as enum ('success', 'retryable_failure', 'dead_letter');
comment on type public.sync_outcome is 'How an attempt ended: done, to be tried again, or given up.';
create type public.sync_source as enum (
    'status_transition', 'nightly_batch', 'reconciliation', 'force_sync', 'break_glass'
);
comment on type public.sync_source is 'What started an attempt.';
create domain pgtrail.http_status as int
    constraint http_status_is_100_to_599 check (value between 100 and 599);
comment on domain pgtrail.http_status is 'Status code of an HTTP response: 100 to 599.';

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

create or replace function public.get_hlf_sync_audit(
    p_organisation_id uuid,
    p_from_date       timestamptz default null,
    p_to_date         timestamptz default null,
    p_mentor_id       uuid default null,
    p_outcome         public.sync_outcome default null,
    p_page            int default 1,
    p_page_size       int default 50,
    p_cursor          text default null
)
    returns table (
        id                   uuid,
        attempted_at         timestamptz,
        organisation_id      uuid,
        mentor_id            uuid,
        sync_direction       public.sync_direction,
        outcome              public.sync_outcome,
        portal_response_code int,
        retry_count          int,
        source               public.sync_source,
        error_code           text,
        sync_job_id          uuid,
        requested_by         text,
        recorded_at          timestamptz,
        next_page            text
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
        entry.attempted_at,
        entry.organisation_id,
        entry.mentor_id,
        entry.sync_direction,
        entry.outcome,
        entry.portal_response_code::int,
        entry.retry_count,
        entry.source,
        entry.error_code::text,
        entry.sync_job_id,
        entry.requested_by::text,
        entry.recorded_at,
        page.next_page
    from pgtrail.page(
        'get_hlf_sync_audit', 'public.hlf_sync_audit_log', 'organisation_id', p_organisation_id, p_from_date, p_to_date,
        jsonb_build_object('mentor_id', p_mentor_id, 'outcome', p_outcome), p_page, p_page_size, p_cursor) as page
    join public.hlf_sync_audit_log as entry on entry.id = page.id
    order by page.id desc;
end;
$$;

revoke all on function public.get_hlf_sync_audit(
    uuid, timestamptz, timestamptz, uuid, public.sync_outcome, int, int, text) from public, anon;
grant execute on function public.get_hlf_sync_audit(
    uuid, timestamptz, timestamptz, uuid, public.sync_outcome, int, int, text)
    to authenticated, service_role, pgtrail_auditor;
comment on function public.get_hlf_sync_audit(
    uuid, timestamptz, timestamptz, uuid, public.sync_outcome, int, int, text) is
    'Returns one page of an organisation''s attempts to sync mentors with the public website, newest first.
Times are [from, to); null is open. p_page_size is 1 to 200. next_page is null on every row but the last, which holds '
    'the cursor of the next page, or null when there is none: pass it as p_cursor with the same filters. p_page counts '
    'from 1 and gets slower with depth, a cursor does not. Raises 22023 (bad argument), 22P02 (cursor altered or of '
    'another query), 42501 (organisation the caller may not read).';

create or replace function public.get_hlf_sync_audit_summary(
    org_id    uuid,
    from_date timestamptz default null,
    to_date   timestamptz default null
)
    returns table (outcome public.sync_outcome, attempts bigint, last_attempt_at timestamptz)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select counted.bucket::public.sync_outcome, counted.entries, counted.last_at
    from pgtrail.summary(
        'hlf_sync_audit_log', get_hlf_sync_audit_summary.org_id, get_hlf_sync_audit_summary.from_date,
        get_hlf_sync_audit_summary.to_date) as counted
    order by counted.bucket::public.sync_outcome;
end;
$$;

revoke all on function public.get_hlf_sync_audit_summary(uuid, timestamptz, timestamptz) from public, anon;
grant execute on function public.get_hlf_sync_audit_summary(uuid, timestamptz, timestamptz)
    to authenticated, service_role, pgtrail_auditor;
comment on function public.get_hlf_sync_audit_summary(uuid, timestamptz, timestamptz) is
    'Counts an organisation''s sync attempts by outcome, with the time of the last one of each.
Times are [from, to); null is open. The numbers are exact and cost the same however long the history is. Raises 22023 '
    '(organisation missing), 42501 (organisation the caller may not read).';

create or replace function public.record_hlf_sync_attempt(
    p_organisation_id      uuid,
    p_mentor_id            uuid,
    p_sync_direction       public.sync_direction,
    p_outcome              public.sync_outcome,
    p_source               public.sync_source,
    p_portal_response_code int default null,
    p_retry_count          int default 0,
    p_error_code           text default null,
    p_sync_job_id          uuid default null,
    p_requested_by         text default null,
    p_attempted_at         timestamptz default null,
    p_id                   uuid default null
)
    returns uuid
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_id uuid := pgtrail.event_id('public.hlf_sync_audit_log', p_id, p_attempted_at);
begin
    insert into public.hlf_sync_audit_log (
        id, organisation_id, mentor_id, sync_direction, outcome, source, portal_response_code,
        retry_count, error_code, sync_job_id, requested_by
    )
    values (
        v_id,
        p_organisation_id,
        p_mentor_id,
        p_sync_direction,
        p_outcome,
        p_source,
        p_portal_response_code,
        coalesce(p_retry_count, 0),
        pgtrail.safe_error(
            coalesce(p_error_code, case when p_outcome <> 'success' then p_portal_response_code::text end), 'portal'),
        p_sync_job_id,
        p_requested_by
    )
    on conflict (id) do nothing;

    return v_id;
end;
$$;

revoke all on function public.record_hlf_sync_attempt(
    uuid, uuid, public.sync_direction, public.sync_outcome, public.sync_source, int, int, text, uuid, text,
    timestamptz, uuid)
    from public, anon, authenticated, pgtrail_auditor;
grant execute on function public.record_hlf_sync_attempt(
    uuid, uuid, public.sync_direction, public.sync_outcome, public.sync_source, int, int, text, uuid, text,
    timestamptz, uuid)
    to service_role;
comment on function public.record_hlf_sync_attempt(
    uuid, uuid, public.sync_direction, public.sync_outcome, public.sync_source, int, int, text, uuid, text,
    timestamptz, uuid) is
    'Records one attempt to sync a mentor with the public website in hlf_sync_audit_log and returns its id.
Retries send the same p_id (a UUIDv7 of the time of the event): an id that is there already is success. '
    'p_attempted_at is for events of the past; without it and p_id the event happened now. p_error_code is put into '
    'the words of pgtrail.safe_error, and taken from the response code when it is missing. Raises 22023 (bad id), '
    '23514 (future, no partition, value out of bounds), 23502 (something required is missing).';

select pgtrail.create_trail('public.hlf_sync_audit_log', 'organisation_id');
select pgtrail.set_summary('public.hlf_sync_audit_log', 'entry.outcome');

reset role;
