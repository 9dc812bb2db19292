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
