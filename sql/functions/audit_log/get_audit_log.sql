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
