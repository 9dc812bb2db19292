-- Definer: the trigger function belongs to pgtrail_owner.
create or replace function pgtrail._drop_capture(entity_type text)
    returns void
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    execute format(
        'drop function if exists pgtrail.%I()', 'tg_' || left(md5(_drop_capture.entity_type), 12) || '__capture');
    delete from pgtrail.tracked_table as known where known.entity_type = _drop_capture.entity_type;
    perform pgtrail._record_act('table.untracked', null, jsonb_build_object('table', _drop_capture.entity_type));
end;
$$;

revoke all on function pgtrail._drop_capture from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._drop_capture is 'Removes the trigger function of a table that is tracked no longer.';
