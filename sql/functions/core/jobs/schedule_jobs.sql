-- Invoker: pg_cron runs a job as the role that scheduled it, which must be able to log in.
create or replace function pgtrail.schedule_jobs()
    returns table (job text, scheduler text, schedule text)
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_job record;
    v_has_cron boolean;
begin
    -- A role without USAGE may not even ask for the function.
    select exists (
        select from pg_catalog.pg_namespace as namespace
        where namespace.nspname = 'cron' and has_schema_privilege(namespace.oid, 'usage')
    ) into v_has_cron;
    if v_has_cron then
        v_has_cron := to_regprocedure('cron.schedule(text,text,text)') is not null;
    end if;

    for v_job in
        select jobs.*
        from (values
            ('pgtrail_seal', '* * * * *', 'select pgtrail.seal()'),
            ('pgtrail_maintain', '17 3 * * *', 'select pgtrail.maintain()'),
            ('pgtrail_cron_cleanup', '47 3 * * *',
                'delete from cron.job_run_details where end_time < now() - interval ''7 days''')
        ) as jobs (name, schedule, command)
    loop
        job := v_job.name;
        schedule := v_job.schedule;
        scheduler := 'pgtrail worker';
        if v_has_cron then
            scheduler := 'pg_cron';
            -- A job of this name is replaced.
            execute 'select cron.schedule($1, $2, $3)' using v_job.name, v_job.schedule, v_job.command;
        elsif v_job.name = 'pgtrail_cron_cleanup' then
            continue;
        end if;
        return next;
    end loop;
end;
$$;

revoke all on function pgtrail.schedule_jobs from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail.schedule_jobs is
    'Schedules the periodic work with pg_cron, as the role that calls it: pgtrail_seal each minute, pgtrail_maintain '
    'daily, pgtrail_cron_cleanup. Can be run again. Without pg_cron it changes nothing and names pgtrail worker as the '
    'scheduler: run that, or call pgtrail.seal() and pgtrail.maintain() from any other.';
