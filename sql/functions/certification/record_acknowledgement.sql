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
