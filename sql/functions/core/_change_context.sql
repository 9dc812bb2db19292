-- Claims count as verified only in a session of PostgREST's login role: whoever logs in by themselves could set them.
create or replace function pgtrail._change_context()
    returns public.audit_log
    language plpgsql
    stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_claims jsonb;
    v_headers jsonb;
    v_context jsonb;
    v_source text := 'session';
    v_entry public.audit_log;
begin
    -- What is no JSON says nothing, and must not keep the change from happening.
    begin
        v_claims := nullif(current_setting('request.jwt.claims', true), '')::jsonb;
        v_headers := nullif(current_setting('request.headers', true), '')::jsonb;
        v_context := nullif(current_setting('pgtrail.context', true), '')::jsonb;
    exception
        when data_exception then null;
    end;
    -- Whoever sets it without set_context() only loses it.
    if jsonb_typeof(v_context) <> 'object' or pg_column_size(v_context) > 4096 then
        v_context := null;
    end if;

    v_entry.actor_kind := 'system';
    v_entry.actor_id := session_user::text;
    if v_claims is not null and session_user = 'authenticator' then
        v_source := 'claims';
        v_entry.actor_id := left(nullif(v_claims ->> 'sub', ''), 255);
        v_entry.impersonator_id := left(case when v_entry.actor_id is not null then v_claims #>> '{act,sub}' end, 255);
        v_entry.actor_kind := case
            when v_entry.actor_id is null then 'service'
            when v_entry.impersonator_id is null then 'user'
            else 'impersonated'
        end;
    elsif nullif(v_context ->> 'actor_id', '') is not null then
        -- An application's word for it: the actor is named, and the kind says that a service named it.
        v_source := 'context';
        v_entry.actor_id := left(v_context ->> 'actor_id', 255);
        v_entry.actor_kind := 'service';
    end if;

    -- Here, current_user is the owner of the trigger function.
    v_entry.database_role := coalesce(nullif(current_setting('role'), 'none'), session_user);
    v_entry.request_id := left(coalesce(v_context ->> 'request_id', v_headers ->> 'x-request-id'), 200);
    v_entry.trace_id := left(coalesce(
        v_context ->> 'trace_id',
        substring(v_headers ->> 'traceparent' from '^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}')), 200);
    v_entry.ip_address := inet_client_addr();
    v_entry.user_agent := left(v_headers ->> 'user-agent', 1000);
    v_entry.details := jsonb_strip_nulls(jsonb_build_object(
        'actor_source', v_source,
        'session_user', session_user,
        'application_name', nullif(current_setting('application_name'), ''),
        'forwarded_for', left(v_headers ->> 'x-forwarded-for', 500),
        'unverified_sub', case when v_source <> 'claims' then left(v_claims ->> 'sub', 255) end,
        'context', nullif(v_context - '{request_id,trace_id}'::text[], '{}'::jsonb)));
    return v_entry;
end;
$$;

revoke all on function pgtrail._change_context() from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._change_context() is
    'Returns who makes a change, as far as the session tells, in the columns of an entry. actor_source in details is '
    'claims (the sub of a token that PostgREST verified; kind user, or impersonated with "act" of RFC 8693), context '
    '(what pgtrail.set_context() was told; kind service) or session (the login role; kind system).';
