-- Invoker: the event trigger belongs to who created it.
create or replace function pgtrail.unwatch_tracked_tables()
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
    set client_min_messages = warning
as $$
begin
    drop event trigger if exists pgtrail_refresh_tracking;
end;
$$;

revoke all on function pgtrail.unwatch_tracked_tables from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail.unwatch_tracked_tables is
    'Takes back pgtrail.watch_tracked_tables(). Raises 42501 for a role that does not own the event trigger.';
