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
