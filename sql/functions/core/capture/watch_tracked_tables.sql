-- Invoker: an event trigger belongs to who creates it, and Postgres lets a superuser do so only.
create or replace function pgtrail.watch_tracked_tables()
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
    set client_min_messages = warning
as $$
begin
    -- Anew, in case somebody disabled it.
    drop event trigger if exists pgtrail_refresh_tracking;
    create event trigger pgtrail_refresh_tracking on ddl_command_end
        when tag in ('ALTER TABLE')
        execute function pgtrail.tg__refresh_tracking();
exception
    when insufficient_privilege then
        raise exception '% may not create or replace event trigger pgtrail_refresh_tracking', current_user
            using errcode = 'insufficient_privilege',
                  hint = 'Call pgtrail.refresh_tracking() after ALTER TABLE: pgtrail.health() tells when it is due.';
end;
$$;

revoke all on function pgtrail.watch_tracked_tables from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail.watch_tracked_tables is
    'Has pgtrail.refresh_tracking() called after each ALTER TABLE of a tracked table, by an event trigger. For a role '
    'that may create one. Raises 42501.';
