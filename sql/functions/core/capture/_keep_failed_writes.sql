create or replace function pgtrail._keep_failed_writes(entity_type text, entries jsonb, sqlstate text, message text)
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_detail jsonb := jsonb_build_object(
        'type', 'audit_write_failed', 'entityType', _keep_failed_writes.entity_type,
        'entries', jsonb_array_length(_keep_failed_writes.entries),
        'eventIds', jsonb_path_query_array(_keep_failed_writes.entries, '$[0 to 9].id'),
        'error', _keep_failed_writes.message, 'code', _keep_failed_writes.sqlstate);
    v_hint text := 'They are kept in pgtrail.failed_write: call pgtrail.replay_failed_writes().';
begin
    begin
        insert into pgtrail.failed_write (entry, sqlstate, message)
        select part.entry, _keep_failed_writes.sqlstate, _keep_failed_writes.message
        from jsonb_array_elements(_keep_failed_writes.entries) as part (entry);
    exception
        -- The server's log is the last place that is left.
        when others then
            v_detail := v_detail || jsonb_build_object('events', _keep_failed_writes.entries);
            v_hint := 'They are nowhere else: insert each of these events into pgtrail.failed_write as entry.';
    end;
    raise warning 'changes of % could not be recorded', _keep_failed_writes.entity_type
        using errcode = _keep_failed_writes.sqlstate, detail = v_detail, hint = v_hint;
end;
$$;

revoke all on function pgtrail._keep_failed_writes from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._keep_failed_writes is
    'Keeps entries (a JSON array) that could not be recorded in pgtrail.failed_write, with a WARNING whose DETAIL is '
    'JSON: entityType, entries (their number), eventIds (of the first 10), error and code. What failed_write cannot '
    'take either is in the DETAIL, as events.';
