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
