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
