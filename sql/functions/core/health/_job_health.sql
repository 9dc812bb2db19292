create or replace function pgtrail._job_health()
    returns table (check_name text, status text, detail text)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set jit = off
as $$
declare
    v_jobs record;
begin
    if not exists (
        select from pg_catalog.pg_namespace as namespace
        where namespace.nspname = 'cron' and has_schema_privilege(namespace.oid, 'usage')
    ) then
        return;
    end if;
    -- A role without USAGE on the schema may not even ask for the tables.
    if (has_table_privilege(to_regclass('cron.job'), 'select')
        and has_table_privilege(to_regclass('cron.job_run_details'), 'select')) is not true
    then
        return;
    end if;

    execute $query$
        select count(*) as scheduled,
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
    into v_jobs;
    if v_jobs.scheduled > 0 then
        check_name := 'jobs';
        status := case when v_jobs.failed > 0 then 'critical' else 'ok' end;
        detail := coalesce(v_jobs.names, format('%s jobs of pg_cron', v_jobs.scheduled));
        return next;
    end if;
end;
$$;

revoke all on function pgtrail._job_health from public, anon, authenticated, service_role;
grant execute on function pgtrail._job_health to pgtrail_auditor;
comment on function pgtrail._job_health is
    'Tells how the jobs of pg_cron ended last that this role scheduled; it shows nobody another''s. No row '
    'without any.';
