-- Made of sql/ by `npm run db:build`; never edited.

set role pgtrail_owner;

create or replace function pgtrail._is_array_of_uuids(badges jsonb)
    returns boolean
    language plpgsql immutable strict parallel safe
    set search_path = pg_catalog, pg_temp
as $$
begin
    -- A document has one text, and one regular expression costs a fraction of a JSON path over its elements.
    return _is_array_of_uuids.badges::text
        ~ '^\[("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"(, (?=")|(?=\])))*\]$';
end;
$$;

revoke all on function pgtrail._is_array_of_uuids(jsonb) from public, anon, authenticated, pgtrail_auditor;
grant execute on function pgtrail._is_array_of_uuids(jsonb) to service_role;
comment on function pgtrail._is_array_of_uuids(jsonb) is
    'Tells whether a JSON document is an array of UUIDs as Postgres writes them: lower case, with hyphens.';

create or replace function pgtrail._is_awarded_by_outcomes(awarded uuid[], evaluated jsonb, outcomes jsonb)
    returns boolean
    language plpgsql immutable strict parallel safe
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_badge uuid;
begin
    if cardinality(_is_awarded_by_outcomes.awarded) > (
        select count(distinct badge.id) from unnest(_is_awarded_by_outcomes.awarded) as badge (id)
    ) then
        return false;
    end if;
    foreach v_badge in array _is_awarded_by_outcomes.awarded loop
        if v_badge is null
            or not _is_awarded_by_outcomes.evaluated ? v_badge::text
            or (_is_awarded_by_outcomes.outcomes -> v_badge::text) is distinct from 'true'::jsonb
        then
            return false;
        end if;
    end loop;
    return true;
end;
$$;

revoke all on function pgtrail._is_awarded_by_outcomes(uuid[], jsonb, jsonb)
    from public, anon, authenticated, pgtrail_auditor;
grant execute on function pgtrail._is_awarded_by_outcomes(uuid[], jsonb, jsonb) to service_role;
comment on function pgtrail._is_awarded_by_outcomes(uuid[], jsonb, jsonb) is
    'Tells whether every awarded badge was evaluated, its outcome is true, and none is named twice.';

create or replace function pgtrail._is_object_of_booleans(outcomes jsonb)
    returns boolean
    language plpgsql immutable strict parallel safe
    set search_path = pg_catalog, pg_temp
as $$
begin
    -- A document has one text, and one regular expression costs a fraction of a JSON path over its elements.
    return _is_object_of_booleans.outcomes::text
        ~ '^\{("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}": (true|false)(, (?=")|(?=\})))*\}$';
end;
$$;

revoke all on function pgtrail._is_object_of_booleans(jsonb) from public, anon, authenticated, pgtrail_auditor;
grant execute on function pgtrail._is_object_of_booleans(jsonb) to service_role;
comment on function pgtrail._is_object_of_booleans(jsonb) is
    'Tells whether a JSON document is an object whose keys are UUIDs, as Postgres writes them, and whose values are '
    'true or false.';

create or replace function public.get_badge_evaluation_logs(
    p_organisation_id uuid,
    p_from_date       timestamptz default null,
    p_to_date         timestamptz default null,
    p_peer_mentor_id  uuid default null,
    p_page            int default 1,
    p_page_size       int default 50,
    p_cursor          text default null
)
    returns table (
        id                uuid,
        triggered_at      timestamptz,
        org_id            uuid,
        peer_mentor_id    uuid,
        activity_id       uuid,
        badges_evaluated  jsonb,
        criteria_outcomes jsonb,
        badges_awarded    uuid[],
        error_message     text,
        duration_ms       int,
        recorded_at       timestamptz,
        next_page         text
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
        entry.triggered_at,
        entry.org_id,
        entry.peer_mentor_id,
        entry.activity_id,
        entry.badges_evaluated::jsonb,
        entry.criteria_outcomes::jsonb,
        entry.badges_awarded,
        entry.error_message::text,
        entry.duration_ms,
        entry.recorded_at,
        page.next_page
    from pgtrail.page(
        'get_badge_evaluation_logs', 'public.badge_evaluation_logs', 'org_id',
        p_organisation_id, p_from_date, p_to_date,
        jsonb_build_object('peer_mentor_id', p_peer_mentor_id), p_page, p_page_size, p_cursor) as page
    join public.badge_evaluation_logs as entry on entry.id = page.id
    order by page.id desc;
end;
$$;

revoke all on function public.get_badge_evaluation_logs(
    uuid, timestamptz, timestamptz, uuid, int, int, text) from public, anon;
grant execute on function public.get_badge_evaluation_logs(
    uuid, timestamptz, timestamptz, uuid, int, int, text)
    to authenticated, service_role, pgtrail_auditor;
comment on function public.get_badge_evaluation_logs(
    uuid, timestamptz, timestamptz, uuid, int, int, text) is
    'Returns one page of an organisation''s runs of the evaluation of badges, newest first.
Times are [from, to); null is open. p_page_size is 1 to 200. next_page is null on every row but the last, which holds '
    'the cursor of the next page, or null when there is none: pass it as p_cursor with the same filters. p_page '
    'counts from 1 and gets slower with depth, a cursor does not. Raises 22023 (bad argument), 22P02 (cursor altered '
    'or of another query), 42501 (organisation the caller may not read).';

create or replace function public.record_badge_evaluation(
    p_org_id            uuid,
    p_peer_mentor_id    uuid,
    p_duration_ms       numeric,
    p_activity_id       uuid default null,
    p_badges_evaluated  jsonb default '[]',
    p_criteria_outcomes jsonb default '{}',
    p_badges_awarded    uuid[] default '{}',
    p_error_message     text default null,
    p_triggered_at      timestamptz default null,
    p_id                uuid default null
)
    returns uuid
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_id uuid := pgtrail.event_id('public.badge_evaluation_logs', p_id, p_triggered_at);
begin
    if p_duration_ms in ('NaN', 'Infinity', '-Infinity') then
        raise exception 'p_duration_ms must be a number of milliseconds'
            using errcode = 'invalid_parameter_value',
                  detail = format('got %s', p_duration_ms),
                  hint = 'Measure with a clock that never goes back.';
    end if;

    insert into public.badge_evaluation_logs (
        id, org_id, peer_mentor_id, duration_ms, activity_id, badges_evaluated, criteria_outcomes,
        badges_awarded, error_message
    )
    values (
        v_id,
        p_org_id,
        p_peer_mentor_id,
        case when p_duration_ms >= 0 then greatest(ceil(p_duration_ms), 1) else p_duration_ms end,
        p_activity_id,
        coalesce(p_badges_evaluated, '[]'),
        coalesce(p_criteria_outcomes, '{}'),
        coalesce(p_badges_awarded, '{}'),
        pgtrail.safe_error(p_error_message, 'criteria')
    )
    on conflict (id) do nothing;

    return v_id;
end;
$$;

revoke all on function public.record_badge_evaluation(
    uuid, uuid, numeric, uuid, jsonb, jsonb, uuid[], text, timestamptz, uuid)
    from public, anon, authenticated, pgtrail_auditor;
grant execute on function public.record_badge_evaluation(
    uuid, uuid, numeric, uuid, jsonb, jsonb, uuid[], text, timestamptz, uuid)
    to service_role;
comment on function public.record_badge_evaluation(
    uuid, uuid, numeric, uuid, jsonb, jsonb, uuid[], text, timestamptz, uuid) is
    'Records one run of the evaluation of badges in badge_evaluation_logs and returns its id.
Retries send the same p_id (a UUIDv7 of the time of the event): an id that is there already is success. '
    'p_triggered_at is for events of the past; without it and p_id the event happened now. p_duration_ms is rounded '
    'up, and p_error_message put into the words of pgtrail.safe_error. Raises 22023 (bad id or duration), 23514 '
    '(future, no partition, outcomes that are no booleans, awards that do not follow from them), 23502 (something '
    'required is missing).';

alter type pgtrail.error_context add value if not exists 'activity';
alter type pgtrail.error_context add value if not exists 'award';
alter type pgtrail.error_context add value if not exists 'criteria';
alter type pgtrail.error_context add value if not exists 'webhook';
-- Limits of single columns are domains, as in audit_log: cheaper on INSERT than checks of the table.
create domain pgtrail.badges as jsonb
    constraint badges_is_an_array_of_uuids check (pgtrail._is_array_of_uuids(value))
    constraint badges_has_at_most_64_kib check (pg_column_size(value) <= 65536);
comment on domain pgtrail.badges is
    'JSON array of badge definition ids (UUIDs as text), at most 64 KiB in its binary form.';
create domain pgtrail.outcomes as jsonb
    constraint outcomes_is_an_object_of_booleans
        check (pgtrail._is_object_of_booleans(value))
    constraint outcomes_has_at_most_64_kib check (pg_column_size(value) <= 65536);
comment on domain pgtrail.outcomes is
    'JSON object of booleans, by badge definition id, at most 64 KiB in its binary form.';

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
        or pgtrail._is_awarded_by_outcomes(badges_awarded, badges_evaluated, criteria_outcomes))
) partition by range (id);

-- "What was evaluated in this organisation?" and "for this mentor?"
create index idx_eval_logs_org on public.badge_evaluation_logs (org_id, id);
create index idx_eval_logs_mentor on public.badge_evaluation_logs (peer_mentor_id, id);

comment on table public.badge_evaluation_logs is
    'Runs of the evaluation of badges: one row a run, append-only. Write with record_badge_evaluation, read with '
    'get_badge_evaluation_logs.';
comment on column public.badge_evaluation_logs.id is
    'UUIDv7 of the time of the run. The same id sent again is the same entry.';
comment on column public.badge_evaluation_logs.triggered_at is
    'Time of the run, taken from the id, to the millisecond.';
comment on column public.badge_evaluation_logs.peer_mentor_id is 'Whose badges were evaluated.';
comment on column public.badge_evaluation_logs.activity_id is
    'The activity that triggered the run; null for a reconciliation.';
comment on column public.badge_evaluation_logs.badges_evaluated is
    'JSON array of the badge definitions that were checked.';
comment on column public.badge_evaluation_logs.criteria_outcomes is
    'JSON object: badge definition -> whether its criteria are met.';
comment on column public.badge_evaluation_logs.badges_awarded is 'Badges that the run newly awarded.';
comment on column public.badge_evaluation_logs.error_message is 'What went wrong, as pgtrail.safe_error says it.';
comment on column public.badge_evaluation_logs.duration_ms is 'How long the run took, in milliseconds, rounded up.';
comment on column public.badge_evaluation_logs.recorded_at is
    'When the database learned of the event. Set by the database.';
comment on column public.badge_evaluation_logs.era is
    'Raised after a restore into another cluster. Set by the database.';
comment on column public.badge_evaluation_logs.tx_id is 'Transaction that wrote the entry. Set by the database.';

select pgtrail.create_trail('public.badge_evaluation_logs', 'org_id',
    digested => '{badges_evaluated,criteria_outcomes}');
select pgtrail.set_summary(
    'public.badge_evaluation_logs',
    'case when entry.error_message is not null then ''failed'' '
    'when entry.badges_awarded = ''{}'' then ''not_awarded'' else ''awarded'' end');

reset role;
