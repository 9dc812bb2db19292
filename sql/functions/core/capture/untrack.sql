-- Invoker: only who owns a table may take its triggers away.
create or replace function pgtrail.untrack(target regclass)
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
    set client_min_messages = warning
as $$
declare
    v_entity_type text;
    v_operation text;
begin
    select known.entity_type::text into v_entity_type
    from pgtrail.tracked_table as known where known.relation = untrack.target;
    if v_entity_type is null then
        raise exception '% is not tracked', coalesce(untrack.target::text, 'null')
            using errcode = 'invalid_parameter_value',
                  hint = 'pgtrail.tracked_table has those that are.';
    end if;
    -- Of a table that was dropped, only the note is left.
    if exists (select from pg_catalog.pg_class as class where class.oid = untrack.target) then
        foreach v_operation in array array['insert', 'update', 'delete', 'truncate'] loop
            execute format('drop trigger if exists %I on %s', 'pgtrail_capture_' || v_operation, untrack.target);
        end loop;
    end if;
    perform pgtrail._drop_capture(v_entity_type);
end;
$$;

revoke all on function pgtrail.untrack from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail.untrack is
    'Stops capturing a table. What was captured stays, and that it stopped is an entry of audit_log. Raises 22023 when '
    'the table is not tracked.';
