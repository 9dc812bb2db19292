-- Definer: whoever may alter a table need not be able to make functions of pgtrail_owner.
create or replace function pgtrail.tg__refresh_tracking()
    returns event_trigger
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_state text;
    v_message text;
begin
    if exists (
        select
        from pg_event_trigger_ddl_commands() as command
        join pgtrail.tracked_table as known on known.relation = command.objid
        where command.classid = 'pg_class'::regclass
    ) then
        perform pgtrail.refresh_tracking();
    end if;
exception
    -- A table that is altered is captured all the same, and health() tells: no reason to refuse the ALTER TABLE.
    when others then
        get stacked diagnostics v_state = returned_sqlstate, v_message = message_text;
        raise warning 'tracking could not be refreshed'
            using errcode = v_state,
                  detail = v_message,
                  hint = 'Changes are captured, only slower. Call pgtrail.refresh_tracking().';
end;
$$;

revoke all on function pgtrail.tg__refresh_tracking from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail.tg__refresh_tracking is
    'Calls pgtrail.refresh_tracking() when a tracked table was altered. Never fails the ALTER TABLE.';
