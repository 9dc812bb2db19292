-- Claims count as verified only in a session of PostgREST's login role: whoever logs in by themselves could set them.
-- Each expression is set up anew in every transaction, and each assignment is one: what is not there is not asked for.
create or replace function pgtrail._change_context(
    out actor_id text,
    out actor_kind text,
    out impersonator_id text,
    out database_role text,
    out details jsonb,
    out ip_address inet,
    out user_agent text,
    out request_id text,
    out trace_id text
)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_claims jsonb;
    v_headers jsonb;
    v_context jsonb;
begin
    -- What is no JSON says nothing, and must not keep the change from happening.
    begin
        v_claims := nullif(current_setting('request.jwt.claims', true), '')::jsonb;
        v_headers := nullif(current_setting('request.headers', true), '')::jsonb;
        v_context := nullif(current_setting('pgtrail.context', true), '')::jsonb;
    exception
        when data_exception then null;
    end;
    -- Here, current_user is the owner of the trigger function.
    database_role := coalesce(nullif(current_setting('role'), 'none'), session_user);
    ip_address := inet_client_addr();
    details := jsonb_build_object('actor_source', 'session', 'session_user', session_user);
    if current_setting('application_name') <> '' then
        details := details || jsonb_build_object('application_name', current_setting('application_name'));
    end if;

    if v_headers is not null then
        request_id := left(v_headers ->> 'x-request-id', 200);
        trace_id := substring(v_headers ->> 'traceparent' from '^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}');
        user_agent := left(v_headers ->> 'user-agent', 1000);
        details := details || jsonb_strip_nulls(jsonb_build_object(
            'forwarded_for', left(v_headers ->> 'x-forwarded-for', 500)));
    end if;
    -- Whoever sets it without set_context() only loses it.
    if jsonb_typeof(v_context) = 'object' and pg_column_size(v_context) <= 4096 then
        request_id := coalesce(left(v_context ->> 'request_id', 200), request_id);
        trace_id := coalesce(left(v_context ->> 'trace_id', 200), trace_id);
        details := details || jsonb_strip_nulls(jsonb_build_object(
            'context', nullif(v_context - '{request_id,trace_id}'::text[], '{}'::jsonb)));
    else
        v_context := null;
    end if;

    if v_claims is not null and session_user = 'authenticator' then
        details := details || '{"actor_source": "claims"}';
        actor_kind := 'service';
        actor_id := left(nullif(v_claims ->> 'sub', ''), 255);
        if actor_id is not null then
            impersonator_id := left(v_claims #>> '{act,sub}', 255);
            actor_kind := case when impersonator_id is null then 'user' else 'impersonated' end;
        end if;
        return;
    end if;
    actor_kind := 'system';
    actor_id := session_user::text;
    if nullif(v_context ->> 'actor_id', '') is not null then
        -- An application's word for it: the actor is named, and the kind says that a service named it.
        details := details || '{"actor_source": "context"}';
        actor_kind := 'service';
        actor_id := left(v_context ->> 'actor_id', 255);
    end if;
    if v_claims is not null then
        details := details || jsonb_strip_nulls(jsonb_build_object(
            'unverified_sub', left(v_claims ->> 'sub', 255)));
    end if;
end;
$$;

revoke all on function pgtrail._change_context from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._change_context is
    'Returns who makes a change, as far as the session tells, as columns of an entry. actor_source in details is '
    'claims (the sub of a token that PostgREST verified; kind user, or impersonated with "act" of RFC 8693), context '
    '(what pgtrail.set_context() was told; kind service) or session (the login role; kind system).';
