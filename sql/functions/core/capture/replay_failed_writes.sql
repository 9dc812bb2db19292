create or replace function pgtrail.replay_failed_writes(max_entries int default 1000)
    returns int
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_failed record;
    v_state text;
    v_message text;
    v_replayed int := 0;
begin
    for v_failed in
        select failed.failed_write_id, failed.entry
        from pgtrail.failed_write as failed
        where failed.replayed_at is null
        order by failed.failed_write_id
        for update skip locked
    loop
        -- No LIMIT: those that fail again would use it up, call after call.
        exit when v_replayed >= replay_failed_writes.max_entries;
        begin
            insert into public.audit_log (
                id, organisation_id, actor_id, actor_kind, impersonator_id, database_role, action, entity_type,
                entity_id, changes, details, ip_address, user_agent, request_id, trace_id
            )
            select entry.id, entry.organisation_id, entry.actor_id, entry.actor_kind, entry.impersonator_id,
                entry.database_role, entry.action, entry.entity_type, entry.entity_id, entry.changes, entry.details,
                entry.ip_address, entry.user_agent, entry.request_id, entry.trace_id
            from jsonb_populate_record(null::public.audit_log, v_failed.entry) as entry
            on conflict (id) do nothing;
            update pgtrail.failed_write as failed
            set replayed_at = clock_timestamp()
            where failed.failed_write_id = v_failed.failed_write_id;
            v_replayed := v_replayed + 1;
        exception
            -- One that fails again is kept, with why, and does not keep the others waiting.
            when others then
                get stacked diagnostics v_state = returned_sqlstate, v_message = message_text;
                update pgtrail.failed_write as failed
                set sqlstate = v_state,
                    message = v_message
                where failed.failed_write_id = v_failed.failed_write_id;
        end;
    end loop;
    return v_replayed;
end;
$$;

revoke all on function pgtrail.replay_failed_writes from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail.replay_failed_writes is
    'Records what pgtrail.failed_write keeps, under the ids and so the times of the changes, and returns how many: at '
    'most max_entries. Those that fail again stay, with the error of the last time.';
