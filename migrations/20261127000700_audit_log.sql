-- Made of sql/ by `npm run db:build`; never edited.

set role pgtrail_owner;

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

create or replace function public.get_audit_log(
    p_organisation_id uuid,
    p_from_date       timestamptz default null,
    p_to_date         timestamptz default null,
    p_actor_id        text default null,
    p_entity_type     text default null,
    p_entity_id       text default null,
    p_action          text default null,
    p_page            int default 1,
    p_page_size       int default 50,
    p_cursor          text default null
)
    returns table (
        id              uuid,
        occurred_at     timestamptz,
        organisation_id uuid,
        actor_id        text,
        actor_kind      text,
        impersonator_id text,
        database_role   text,
        action          text,
        entity_type     text,
        entity_id       text,
        changes         jsonb,
        details         jsonb,
        ip_address      inet,
        user_agent      text,
        request_id      text,
        trace_id        text,
        recorded_at     timestamptz,
        next_page       text
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
        entry.occurred_at,
        entry.organisation_id,
        entry.actor_id::text,
        entry.actor_kind::text,
        entry.impersonator_id::text,
        entry.database_role,
        entry.action::text,
        entry.entity_type::text,
        entry.entity_id::text,
        entry.changes::jsonb,
        entry.details::jsonb,
        entry.ip_address,
        entry.user_agent::text,
        entry.request_id::text,
        entry.trace_id::text,
        entry.recorded_at,
        page.next_page
    from pgtrail.page(
        'get_audit_log', 'public.audit_log', 'organisation_id', p_organisation_id, p_from_date, p_to_date,
        jsonb_build_object(
            'actor_id', p_actor_id, 'entity_type', p_entity_type, 'entity_id', p_entity_id, 'action', p_action),
        p_page, p_page_size, p_cursor) as page
    join public.audit_log as entry on entry.id = page.id
    order by page.id desc;
end;
$$;

revoke all on function public.get_audit_log(
    uuid, timestamptz, timestamptz, text, text, text, text, int, int, text) from public, anon;
grant execute on function public.get_audit_log(
    uuid, timestamptz, timestamptz, text, text, text, text, int, int, text)
    to authenticated, service_role, pgtrail_auditor;
comment on function public.get_audit_log(
    uuid, timestamptz, timestamptz, text, text, text, text, int, int, text) is
    'Returns one page of an organisation''s audit log, newest first.
Times are [from, to); null is open. p_page_size is 1 to 200. next_page is null on every row but the last, which holds '
    'the cursor of the next page, or null when there is none: pass it as p_cursor with the same filters. p_page counts '
    'from 1 and gets slower with depth, a cursor does not. Raises 22023 (bad argument), 22P02 (cursor altered or of '
    'another query), 42501 (organisation the caller may not read).';

create or replace function public.get_audit_summary(
    p_organisation_id uuid,
    p_trail           text,
    p_from_date       timestamptz default null,
    p_to_date         timestamptz default null
)
    returns table (bucket text, entries bigint)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select counted.bucket, counted.entries
    from pgtrail.summary(p_trail, p_organisation_id, p_from_date, p_to_date) as counted;
end;
$$;

revoke all on function public.get_audit_summary(uuid, text, timestamptz, timestamptz) from public, anon;
grant execute on function public.get_audit_summary(uuid, text, timestamptz, timestamptz)
    to authenticated, service_role, pgtrail_auditor;
comment on function public.get_audit_summary(uuid, text, timestamptz, timestamptz) is
    'Counts an organisation''s entries of a trail by bucket: what pgtrail.set_summary() says of it, of '
    'audit_log the action.
Times are [from, to); null is open. The numbers are exact and cost the same however long the history is. Raises 22023 '
    '(organisation missing), 42501 (organisation the caller may not read), PT404 (no such trail).';

create or replace function public.get_entity_history(
    p_entity_type     text,
    p_entity_id       text,
    p_organisation_id uuid,
    p_page            int default 1,
    p_page_size       int default 50,
    p_cursor          text default null
)
    returns table (
        id              uuid,
        occurred_at     timestamptz,
        organisation_id uuid,
        actor_id        text,
        actor_kind      text,
        impersonator_id text,
        database_role   text,
        action          text,
        entity_type     text,
        entity_id       text,
        changes         jsonb,
        details         jsonb,
        ip_address      inet,
        user_agent      text,
        request_id      text,
        trace_id        text,
        recorded_at     timestamptz,
        next_page       text
    )
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
begin
    if p_entity_type is null or p_entity_id is null then
        raise exception 'p_entity_type and p_entity_id are required'
            using errcode = 'invalid_parameter_value',
                  hint = 'Such as public.certifications and the primary key of the row as text.';
    end if;
    return query
    select entry.*
    from public.get_audit_log(
        p_organisation_id => p_organisation_id, p_entity_type => p_entity_type, p_entity_id => p_entity_id,
        p_page => p_page, p_page_size => p_page_size, p_cursor => p_cursor) as entry;
end;
$$;

revoke all on function public.get_entity_history(text, text, uuid, int, int, text) from public, anon;
grant execute on function public.get_entity_history(text, text, uuid, int, int, text)
    to authenticated, service_role, pgtrail_auditor;
comment on function public.get_entity_history(text, text, uuid, int, int, text) is
    'Returns one page of what happened to one thing of an organisation, newest first, as get_audit_log does.
For a row of a tracked table, p_entity_type is schema.table and p_entity_id its primary key as text. Raises 22023 (bad '
    'argument), 22P02 (cursor altered or of another query), 42501 (organisation the caller may not read).';

-- Definer, so that service_role may prepare a backfill through PostgREST; bounded, because it is exposed.
create or replace function public.prepare_audit_backfill(p_trail text, p_from timestamptz)
    returns int
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_trail regclass;
begin
    if (p_from between now() - interval '20 years' and now()) is not true then
        raise exception 'p_from must lie within the last 20 years'
            using errcode = 'invalid_parameter_value',
                  detail = format('got %s', coalesce(p_from::text, 'null')),
                  hint = 'For older events the owner calls pgtrail.ensure_partitions.';
    end if;

    select registered.relation into v_trail
    from pgtrail.trail as registered
    where registered.trail_name = p_trail;

    if v_trail is null then
        raise exception 'there is no trail named "%"', coalesce(p_trail, 'null')
            using errcode = 'PT404',
                  hint = 'Name a trail without its schema, such as audit_log.';
    end if;

    return pgtrail.ensure_partitions(v_trail, p_from, now());
end;
$$;

revoke all on function public.prepare_audit_backfill(text, timestamptz)
    from public, anon, authenticated, pgtrail_auditor;
grant execute on function public.prepare_audit_backfill(text, timestamptz) to service_role;
comment on function public.prepare_audit_backfill(text, timestamptz) is
    'Creates the monthly partitions that events since p_from need and returns how many it created.
Call it before recording older events. p_from lies within the last 20 years. Raises 22023 (time), PT404 (no such '
    'trail).';

create or replace function public.record_audit_event(
    p_organisation_id uuid,
    p_action          text,
    p_entity_type     text default null,
    p_entity_id       text default null,
    p_actor_id        text default null,
    p_actor_kind      text default null,
    p_impersonator_id text default null,
    p_changes         jsonb default null,
    p_details         jsonb default null,
    p_ip_address      inet default null,
    p_user_agent      text default null,
    p_request_id      text default null,
    p_trace_id        text default null,
    p_occurred_at     timestamptz default null,
    p_id              uuid default null
)
    returns uuid
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_id uuid := pgtrail.event_id('public.audit_log', p_id, p_occurred_at);
begin
    insert into public.audit_log (
        id, organisation_id, actor_id, actor_kind, impersonator_id, action, entity_type, entity_id,
        changes, details, ip_address, user_agent, request_id, trace_id
    )
    values (
        v_id,
        p_organisation_id,
        p_actor_id,
        coalesce(
            p_actor_kind,
            case
                when p_impersonator_id is not null then 'impersonated'
                when p_actor_id is not null then 'user'
                else 'service'
            end),
        p_impersonator_id,
        p_action, p_entity_type, p_entity_id,
        p_changes, p_details, p_ip_address, p_user_agent, p_request_id, p_trace_id
    )
    on conflict (id) do nothing;

    return v_id;
end;
$$;

revoke all on function public.record_audit_event(
    uuid, text, text, text, text, text, text, jsonb, jsonb, inet, text, text, text, timestamptz, uuid)
    from public, anon, authenticated, pgtrail_auditor;
grant execute on function public.record_audit_event(
    uuid, text, text, text, text, text, text, jsonb, jsonb, inet, text, text, text, timestamptz, uuid)
    to service_role;
comment on function public.record_audit_event(
    uuid, text, text, text, text, text, text, jsonb, jsonb, inet, text, text, text, timestamptz, uuid) is
    'Records one event in audit_log and returns its id.
Retries send the same p_id (a UUIDv7 of the time of the event): an id that is there already is success. '
    'p_occurred_at is for events of the past; without it and p_id the event happened now. p_actor_kind defaults to '
    'impersonated, user or service, by what is given. Raises 22023 (bad id), 23514 (future, no partition, too long or '
    'unknown value), 23502 (organisation or action missing).';

select pgtrail.create_trail('public.audit_log', 'organisation_id',
    erasable => '{changes,details,ip_address,user_agent}');
select pgtrail.set_summary('public.audit_log', 'entry.action');

-- Who belongs to which organisation decides who may read its entries. Tables of the application's own, in place of
-- ours, are left to its choice. What is tracked from the start is no event: a new trail is empty.

select pgtrail._attach_capture(row(
    class.oid, 'public.' || class.relname, case class.relname when 'organisations' then 'id' else 'organisation_id' end,
    '{}', '{}', 'block', 'statement', null, null
)::pgtrail.tracked_table)
from pg_catalog.pg_class as class
where class.relnamespace = 'public'::regnamespace
    and class.relname in ('organisations', 'organisation_members')
    and class.relkind = 'r'
    and class.relowner = 'pgtrail_owner'::regrole;

reset role;
