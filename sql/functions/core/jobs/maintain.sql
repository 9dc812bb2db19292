create or replace function pgtrail.maintain(as_of timestamptz default now())
    returns jsonb
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_trail regclass;
    v_check record;
    v_partitions int := 0;
    v_removed bigint;
    v_postponed bigint;
    v_defects bigint;
    v_result jsonb;
begin
    if not pg_try_advisory_xact_lock(hashtextextended('pgtrail.maintain', 0)) then
        return jsonb_build_object('skipped', 'another session is at it');
    end if;

    for v_trail in select registered.relation from pgtrail.trail as registered order by registered.trail_name loop
        v_partitions := v_partitions
            + pgtrail.ensure_partitions(v_trail, maintain.as_of, maintain.as_of + interval '13 months');
    end loop;
    v_result := jsonb_build_object(
        'partitions_created', v_partitions, 'tables_refreshed', pgtrail.refresh_tracking());

    select count(*) into v_defects from pgtrail.verify_slice();
    v_result := v_result || jsonb_build_object('defects', v_defects);
    perform pgtrail._set_alert(
        'log defects', case when v_defects > 0 then 'critical' else 'ok' end,
        jsonb_build_object('defects', v_defects, 'hint', 'run pgtrail.verify()'));

    -- After the verification, which takes its time: from the first drop on, others wait for this transaction to end.
    if not pgtrail._is_retention_enabled() then
        v_result := v_result || jsonb_build_object('retention', 'not enabled in this copy of the database');
    else
        select coalesce(sum(line.entries), 0)::bigint, count(*) filter (where line.method in ('failed', 'postponed'))
        into v_removed, v_postponed
        from pgtrail.apply_retention(least(maintain.as_of, clock_timestamp())) as line;
        v_result := v_result || jsonb_build_object('entries_removed', v_removed, 'purges_postponed', v_postponed);
    end if;

    update pgtrail.log as head set maintained_at = clock_timestamp() where head.log_id = 1;
    for v_check in
        select checked.check_name, checked.status, checked.detail
        from pgtrail.health() as checked
        where checked.check_name <> 'alerts'
    loop
        perform pgtrail._set_alert(
            v_check.check_name, v_check.status, jsonb_build_object('detail', v_check.detail));
    end loop;

    return v_result;
end;
$$;

revoke all on function pgtrail.maintain from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail.maintain is
    'Does the periodic work, once a day: partitions for 13 months ahead, refresh_tracking(), the verification of a '
    'slice of the log, retention, and alerts for what health() finds. Returns what it did: partitions_created, '
    'tables_refreshed, defects, entries_removed and purges_postponed, or why retention did not run. A call while '
    'another runs returns at once.';
