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
