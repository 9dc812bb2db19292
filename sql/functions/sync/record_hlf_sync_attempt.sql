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
