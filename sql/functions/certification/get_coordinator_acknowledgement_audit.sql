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
