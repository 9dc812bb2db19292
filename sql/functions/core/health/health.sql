create or replace function pgtrail.health()
    returns table (check_name text, status text, detail text)
    language plpgsql
    stable
    set search_path = pg_catalog, pg_temp
    set jit = off
as $$
declare
    v_log pgtrail.log;
    v_published record;
    v_blocker record;
    v_unsealable bigint;
    v_months bigint;
    v_found bigint;
    v_purged record;
    v_overdue bigint;
    v_unwatched bigint;
    v_stale bigint;
    v_nameless bigint;
    v_jobs bigint;
    v_failed bigint;
    v_failures text;
begin
    select head.* into strict v_log from pgtrail.log as head where head.log_id = 1;

    -- The oldest transaction that holds the watermark back; a prepared one has no process.
    select oldest.* into v_blocker
    from (
        select activity.pid::text as pid, activity.datname::text as database, activity.xact_start as started_at,
            activity.backend_xid as xid
        from pg_catalog.pg_stat_activity as activity
        where activity.backend_xid is not null and activity.pid <> pg_backend_pid()
        union all
        select format('prepared transaction %L', prepared.gid), prepared.database, prepared.prepared,
            prepared.transaction
        from pg_catalog.pg_prepared_xacts as prepared
    ) as oldest
    order by age(oldest.xid) desc
    limit 1;

    check_name := 'seal';
    status := case
        when v_log.sealed_at < clock_timestamp() - interval '10 minutes'
            and pgtrail._trails_between(v_log.tx_id, pg_snapshot_xmax(pg_current_snapshot())) <> '{}'::text[]
            then 'critical'
        else 'ok'
    end;
    detail := format('last run %s ago, %s leaves', date_trunc('second', clock_timestamp() - v_log.sealed_at),
                     v_log.tree_size);
    return next;

    check_name := 'maintenance';
    status := case
        when coalesce(v_log.maintained_at, (select min(registered.registered_at) from pgtrail.trail as registered))
            < clock_timestamp() - interval '26 hours' then 'critical'
        else 'ok'
    end;
    detail := case
        when v_log.maintained_at is null then 'not run yet'
        else format('last run %s ago', date_trunc('second', clock_timestamp() - v_log.maintained_at))
    end;
    return next;

    check_name := 'seal lag';
    status := case when v_blocker.started_at < clock_timestamp() - interval '10 minutes' then 'critical' else 'ok' end;
    detail := case
        when v_blocker.pid is null then 'no open transaction holds sealing back'
        else format('pid %s in database %s holds sealing back since %s', v_blocker.pid, v_blocker.database,
                    date_trunc('second', clock_timestamp() - v_blocker.started_at))
    end;
    return next;

    select published.* into v_published
    from pgtrail.published_checkpoint as published
    where published.log_id = 1 and published.origin = v_log.origin
    order by published.tree_size desc
    limit 1;
    check_name := 'published checkpoint';
    status := case
        when v_published.tree_size is null then 'warning'
        when not pgtrail.verify_checkpoint(v_published.tree_size, v_published.root) then 'critical'
        when v_published.tree_size < v_log.tree_size
            and v_published.published_at < clock_timestamp() - interval '26 hours' then 'warning'
        else 'ok'
    end;
    detail := case
        when v_published.tree_size is null then 'none yet: from the first one on the log is evidence'
        when status = 'critical' then format(
            'size %s does not fit the log: after a point-in-time recovery call pgtrail.start_new_origin',
            v_published.tree_size)
        else format('size %s of %s, %s ago', v_published.tree_size, v_log.tree_size,
                    date_trunc('second', clock_timestamp() - v_published.published_at))
    end;
    return next;

    select count(*) into v_unsealable from pgtrail.unsealable_entry;
    check_name := 'unsealable entries';
    status := case when v_unsealable > 0 then 'warning' else 'ok' end;
    detail := format('%s set aside in pgtrail.unsealable_entry', v_unsealable);
    return next;

    check_name := 'verification';
    status := case
        when v_log.tree_size > 0
            and coalesce(v_log.verified_at < clock_timestamp() - interval '26 hours', true) then 'warning'
        else 'ok'
    end;
    detail := case
        when v_log.verified_at is null then 'not run yet'
        else format('last run %s ago, goes on at leaf %s', date_trunc('second', clock_timestamp() - v_log.verified_at),
                    v_log.verified_leaf)
    end;
    return next;

    check_name := 'partitions ahead';
    select coalesce(min(ahead.months), 0) into v_months
    from (
        select count(*) filter (where part.month > now()) as months
        from pgtrail.trail as registered
        left join lateral pgtrail._monthly_partitions(registered.relation) as part on true
        group by registered.trail_name
    ) as ahead;
    status := case when v_months < 2 then 'critical' when v_months < 12 then 'warning' else 'ok' end;
    detail := format('%s months', v_months);
    return next;

    select count(*) into v_found
    from pgtrail.trail as registered
    cross join lateral pg_partition_tree(registered.relation) as tree
    where (
        select count(*)
        from pg_catalog.pg_trigger as guard
        where guard.tgrelid = tree.relid
            and guard.tgname in ('refuse_change_of_statement', 'refuse_change_of_row')
            and guard.tgenabled = 'A'
    ) < 2;
    check_name := 'guards';
    status := case when v_found > 0 then 'critical' else 'ok' end;
    detail := format('%s trails or partitions without their guards enabled always', v_found);
    return next;

    select count(*) into v_found
    from pgtrail.trail as registered
    cross join lateral pg_partition_tree(registered.relation) as tree
    join pg_catalog.pg_class as class on class.oid = tree.relid
    where not class.relrowsecurity;
    check_name := 'row security';
    status := case when v_found > 0 then 'critical' else 'ok' end;
    detail := format('%s trails or partitions without row level security', v_found);
    return next;

    select count(*) into v_found
    from pgtrail.trail as registered
    cross join lateral pg_partition_tree(registered.relation) as tree
    join pg_catalog.pg_class as class on class.oid = tree.relid
    cross join lateral aclexplode(class.relacl) as item
    where item.grantee <> class.relowner
        and (
            tree.relid <> registered.relation
            or item.grantee not in (
                select role.oid from pg_catalog.pg_roles as role
                where role.rolname in ('authenticated', 'service_role', 'pgtrail_auditor', 'pgtrail_purger'))
            or item.privilege_type <> 'SELECT'
                and not (
                    item.grantee = (
                        select role.oid from pg_catalog.pg_roles as role where role.rolname = 'pgtrail_purger')
                    and item.privilege_type in ('UPDATE', 'DELETE')));
    check_name := 'grants';
    status := case when v_found > 0 then 'critical' else 'ok' end;
    detail := format('%s privileges on trails or partitions that nobody should have: see pgtrail doctor', v_found);
    return next;

    select count(*) into v_found
    from pgtrail.alert as alert
    where alert.severity = 'critical' and alert.resolved_at is null;
    check_name := 'alerts';
    status := case when v_found > 0 then 'critical' else 'ok' end;
    detail := format('%s critical alerts are open', v_found);
    return next;

    check_name := 'retention';
    select max(run.finished_at) as finished_at into v_purged from pgtrail.purge_run as run;
    if not exists (select from pgtrail.retention_policy as policy where policy.keep is not null) then
        status := 'ok';
        detail := 'no policy: everything is kept for ever';
    elsif not pgtrail._is_retention_enabled() then
        status := 'warning';
        detail := 'this is a copy of the database: nothing is removed until pgtrail.enable_retention()';
    elsif coalesce(v_purged.finished_at, (select min(policy.set_at) from pgtrail.retention_policy as policy))
        < clock_timestamp() - interval '26 hours'
    then
        status := 'critical';
        detail := format('has not run since %s', coalesce(date_trunc('second', v_purged.finished_at)::text, 'ever'));
    else
        -- Three days late: what became due yesterday may wait for somebody who used the partition.
        select count(*) into v_overdue
        from pgtrail.trail as registered
        cross join lateral pgtrail._due_months(registered.trail_name, now() - interval '3 days') as due
        where due.month + interval '1 month' < now() - interval '3 days' - due.keep
            and due.last_at < now() - interval '3 days' - due.keep
            and not pgtrail._is_held(registered.trail_name, due.organisation_id, due.month)
            and not pgtrail._is_held(registered.trail_name, due.organisation_id, due.last_at)
            and not exists (
                select
                from pgtrail.batch_content as content
                join pgtrail.batch as batch on batch.log_id = 1 and batch.first_leaf = content.first_leaf
                where content.trail_name = registered.trail_name
                    and content.month = (due.month at time zone 'UTC')::date
                    and batch.sealed_at > now() - interval '3 days' - due.keep);
        status := case when v_overdue > 0 then 'critical' else 'ok' end;
        detail := case
            when v_overdue > 0
                then format('%s months of organisations are past their policy and still there', v_overdue)
            when v_purged.finished_at is null then 'set, and runs with the next pgtrail.maintain()'
            else format('last run %s ago', date_trunc('second', clock_timestamp() - v_purged.finished_at))
        end;
    end if;
    return next;

    select count(*) filter (where class.oid is null or 4 > (
                select count(*)
                from pg_catalog.pg_trigger as capture
                where capture.tgrelid = known.relation
                    and capture.tgname in (
                        'pgtrail_capture_insert', 'pgtrail_capture_update', 'pgtrail_capture_delete',
                        'pgtrail_capture_truncate')
                    and capture.tgenabled in ('O', 'A'))),
        count(*) filter (where class.oid is not null and known.shape is distinct from pgtrail._capture_shape(known.relation)),
        count(*) filter (where class.oid is not null and exists (
            select from unnest(known.excluded || known.redacted || known.organisation_column) as named (name)
            where named.name is not null and not exists (
                select from pg_catalog.pg_attribute as attribute
                where attribute.attrelid = known.relation and attribute.attname = named.name
                    and not attribute.attisdropped
                    and (named.name <> known.organisation_column or attribute.atttypid = 'uuid'::regtype)))),
        count(*)
    into v_unwatched, v_stale, v_nameless, v_found
    from pgtrail.tracked_table as known
    left join pg_catalog.pg_class as class on class.oid = known.relation;
    check_name := 'tracked tables';
    status := case when v_unwatched > 0 or v_stale > 0 or v_nameless > 0 then 'critical' else 'ok' end;
    detail := case
        when v_unwatched > 0 then format(
            '%s of %s are gone or lack a trigger: call pgtrail.track or pgtrail.untrack', v_unwatched, v_found)
        -- Under another name, a redacted column is captured in full and a tenant is not told.
        when v_nameless > 0 then format(
            '%s of %s lost a column that tracking names: call pgtrail.track', v_nameless, v_found)
        when v_stale > 0 then format(
            '%s of %s were altered: call pgtrail.refresh_tracking()', v_stale, v_found)
        else format('%s', v_found)
    end;
    return next;

    select count(*) into v_found from pgtrail.failed_write as failed where failed.replayed_at is null;
    check_name := 'failed writes';
    status := case when v_found > 0 then 'critical' else 'ok' end;
    detail := format('%s wait in pgtrail.failed_write for pgtrail.replay_failed_writes()', v_found);
    return next;

    -- What pg_cron tells of the jobs that this role scheduled. It shows nobody another's.
    if exists (
        select from pg_catalog.pg_namespace as namespace
        where namespace.nspname = 'cron' and has_schema_privilege(namespace.oid, 'usage')
    ) then
        if has_table_privilege(to_regclass('cron.job'), 'select')
            and has_table_privilege(to_regclass('cron.job_run_details'), 'select')
        then
            execute $query$
                select count(*) as jobs,
                    count(*) filter (where latest.status = 'failed') as failed,
                    string_agg(latest.jobname || ' failed', ', ' order by latest.jobname)
                        filter (where latest.status = 'failed') as names
                from (
                    select distinct on (job.jobid) job.jobname, run.status
                    from cron.job
                    left join cron.job_run_details as run on run.jobid = job.jobid
                    where job.jobname like 'pgtrail\_%'
                    order by job.jobid, run.runid desc
                ) as latest
                $query$
            into v_jobs, v_failed, v_failures;
            if v_jobs > 0 then
                check_name := 'jobs';
                status := case when v_failed > 0 then 'critical' else 'ok' end;
                detail := coalesce(v_failures, format('%s jobs of pg_cron', v_jobs));
                return next;
            end if;
        end if;
    end if;
end;
$$;

revoke all on function pgtrail.health() from public, anon, authenticated, service_role;
grant execute on function pgtrail.health() to pgtrail_auditor;
comment on function pgtrail.health() is
    'Returns how trails and log are doing, a row a check; status is ok, warning or critical. pg_monitor sees who holds '
    'sealing back; others see their own sessions.';
