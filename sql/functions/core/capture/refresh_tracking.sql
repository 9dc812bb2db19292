create or replace function pgtrail.refresh_tracking()
    returns int
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
    set jit = off
as $$
declare
    v_tracked pgtrail.tracked_table;
    v_refreshed int := 0;
begin
    for v_tracked in
        select known.*
        from pgtrail.tracked_table as known
        join pg_catalog.pg_class as class on class.oid = known.relation
        where known.shape is distinct from pgtrail._capture_shape(known.relation)
    loop
        perform pgtrail._make_capture(v_tracked);
        v_refreshed := v_refreshed + 1;
    end loop;
    return v_refreshed;
end;
$$;

revoke all on function pgtrail.refresh_tracking from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail.refresh_tracking is
    'Makes the trigger functions of tracked tables anew that were altered, and returns their number. Until then their '
    'changes are captured too, only slower. A table whose organisation_column is gone, or no uuid, belongs to the '
    'platform.';
