create or replace function pgtrail._tracking_health()
    returns table (check_name text, status text, detail text)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set jit = off
as $$
declare
    v_unwatched bigint;
    v_stale bigint;
    v_nameless bigint;
    v_all bigint;
begin
    check_name := 'tracked tables';
    select count(*) filter (where class.oid is null or 4 > (
                select count(*)
                from pg_catalog.pg_trigger as capture
                where capture.tgrelid = known.relation
                    and capture.tgname in (
                        'pgtrail_capture_insert', 'pgtrail_capture_update', 'pgtrail_capture_delete',
                        'pgtrail_capture_truncate')
                    and capture.tgenabled in ('O', 'A'))),
        count(*) filter (
            where class.oid is not null and known.shape is distinct from pgtrail._capture_shape(known.relation)),
        count(*) filter (where class.oid is not null and exists (
            select from unnest(known.excluded || known.redacted || known.organisation_column) as named (name)
            where named.name is not null and not exists (
                select from pg_catalog.pg_attribute as attribute
                where attribute.attrelid = known.relation and attribute.attname = named.name
                    and not attribute.attisdropped
                    and (named.name <> known.organisation_column or attribute.atttypid = 'uuid'::regtype)))),
        count(*)
    into v_unwatched, v_stale, v_nameless, v_all
    from pgtrail.tracked_table as known
    left join pg_catalog.pg_class as class on class.oid = known.relation;
    status := case when v_unwatched > 0 or v_stale > 0 or v_nameless > 0 then 'critical' else 'ok' end;
    detail := case
        when v_unwatched > 0 then format(
            '%s of %s are gone or lack a trigger: call pgtrail.track or pgtrail.untrack', v_unwatched, v_all)
        -- Under another name, a redacted column is captured in full and a tenant is not told.
        when v_nameless > 0 then format(
            '%s of %s lost a column that tracking names: call pgtrail.track', v_nameless, v_all)
        when v_stale > 0 then format(
            '%s of %s were altered: call pgtrail.refresh_tracking()', v_stale, v_all)
        else format('%s', v_all)
    end;
    return next;
end;
$$;

revoke all on function pgtrail._tracking_health from public, anon, authenticated, service_role;
grant execute on function pgtrail._tracking_health to pgtrail_auditor;
comment on function pgtrail._tracking_health is 'Tells whether every tracked table is captured as it is now.';
