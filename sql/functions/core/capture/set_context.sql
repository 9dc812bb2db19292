create or replace function pgtrail.set_context(context jsonb)
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
begin
    if (jsonb_typeof(set_context.context) = 'object' and pg_column_size(set_context.context) <= 4096) is not true then
        raise exception 'context must be a JSON object of at most 4 KiB'
            using errcode = 'invalid_parameter_value',
                  detail = format('got %s', coalesce(jsonb_typeof(set_context.context), 'null')),
                  hint = 'Such as {"actor_id": "...", "request_id": "...", "trace_id": "...", "reason": "..."}.';
    end if;
    perform set_config('pgtrail.context', set_context.context::text, true);
end;
$$;

revoke all on function pgtrail.set_context from public, anon;
grant execute on function pgtrail.set_context to authenticated, service_role, pgtrail_auditor;
comment on function pgtrail.set_context is
    'Says, until the end of the transaction, in whose name changes are made: actor_id, request_id, trace_id and '
    'anything else worth keeping. It is an application''s word: captured with actor_kind service and actor_source '
    'context, and ignored as an actor where PostgREST verified a token. Raises 22023.';
