create or replace function pgtrail.apply_retention(as_of timestamptz default now(), dry_run boolean default false)
    returns table (trail_name text, organisation uuid, entries bigint, method text, reason text)
    language plpgsql
    volatile
    security definer
    set search_path = ''
    set timezone = 'UTC'
    set jit = off
as $$
declare
    v_started timestamptz := clock_timestamp();
    v_setting pgtrail.retention_setting;
    v_as_of timestamptz := apply_retention.as_of;
    v_lock_timeout text := current_setting('lock_timeout');
    v_part record;
    v_due record;
    v_found bigint;
    v_removed bigint;
    v_partitions int := 0;
    v_batches int := 0;
    v_failures int := 0;
    v_results jsonb := '[]'::jsonb;
    v_lines jsonb;
begin
    select setting.* into strict v_setting from pgtrail.retention_setting as setting;
    if v_as_of is null or not apply_retention.dry_run and v_as_of > clock_timestamp() then
        raise exception 'as_of must not lie in the future'
            using errcode = 'invalid_parameter_value',
                  detail = format('got %s', coalesce(v_as_of::text, 'null')),
                  hint = 'Only a dry run looks ahead.';
    elsif not apply_retention.dry_run and not pgtrail._retention_enabled() then
        raise exception 'retention is not enabled in this copy of the database'
            using errcode = 'TR005',
                  hint = 'If entries are to be removed here as well, call pgtrail.enable_retention().';
    end if;

    -- The lock of the sealer: what is sealed, and how much of it there is, stays as it is.
    perform from pgtrail.log as head where head.log_id = 1 for update;

    for v_part in
        select registered.trail_name, registered.relation, part.partition, part.month
        from pgtrail.trail as registered
        cross join lateral pgtrail._partitions(registered.relation) as part
        where exists (
                select from pgtrail.retention_policy as policy
                where policy.trail_name = registered.trail_name and policy.keep is not null)
            and part.month < v_as_of - v_setting.keep_at_least
        order by registered.trail_name, part.month
    loop
        -- One failure never stops the others: it is part of the result.
        begin
            v_lines := '[]'::jsonb;
            if v_part.month + interval '1 month' <= v_as_of - v_setting.keep_at_least
                and pgtrail._partition_is_due(v_part.trail_name, v_part.partition, v_part.month, v_as_of)
            then
                if v_setting.archive_before_drop
                    and not pgtrail._is_archived(v_part.trail_name, v_part.month::date)
                then
                    v_failures := v_failures + 1;
                    v_lines := jsonb_build_array(jsonb_build_object(
                        'trail_name', v_part.trail_name, 'organisation', null, 'entries', 0, 'method', 'postponed',
                        'reason', format('%s is not archived yet', to_char(v_part.month, 'YYYY-MM'))));
                elsif v_partitions < v_setting.max_partitions then
                    select coalesce(jsonb_agg(jsonb_build_object(
                            'trail_name', v_part.trail_name, 'organisation', counted.organisation_id,
                            'entries', counted.entries, 'method', 'drop', 'reason', format(
                                '%s is past %s', to_char(v_part.month, 'YYYY-MM'),
                                pgtrail._keep(v_part.trail_name, counted.organisation_id)))), '[]'::jsonb)
                    into v_lines
                    from (
                        select rollup.organisation_id, sum(rollup.entries) as entries
                        from pgtrail.rollup as rollup
                        where rollup.trail_name = v_part.trail_name
                            and rollup.unit = 'month'
                            and rollup.starts_at = v_part.month
                        group by rollup.organisation_id
                        order by rollup.organisation_id
                    ) as counted;
                    if v_lines = '[]'::jsonb then
                        v_lines := jsonb_build_array(jsonb_build_object(
                            'trail_name', v_part.trail_name, 'organisation', null, 'entries', 0, 'method', 'drop',
                            'reason', format('%s is empty and past the policy of the trail',
                                             to_char(v_part.month, 'YYYY-MM'))));
                    end if;
                    if not apply_retention.dry_run then
                        -- Writers that wait give up later than this does.
                        perform set_config('lock_timeout', '500ms', true);
                        perform pgtrail._drop_partition(v_part.trail_name, v_part.partition, v_part.month);
                    end if;
                    v_partitions := v_partitions + 1;
                end if;
            else
                for v_due in
                    select counted.organisation_id,
                        v_as_of - greatest(
                            pgtrail._keep(v_part.trail_name, counted.organisation_id),
                            v_setting.keep_at_least) as before
                    from (
                        select distinct rollup.organisation_id
                        from pgtrail.rollup as rollup
                        where rollup.trail_name = v_part.trail_name
                            and rollup.unit = 'month'
                            and rollup.starts_at = v_part.month
                    ) as counted
                    where v_part.month < v_as_of - pgtrail._keep(v_part.trail_name, counted.organisation_id)
                    order by counted.organisation_id
                loop
                    v_found := 0;
                    if apply_retention.dry_run then
                        execute array_to_string(array['select count(*) from (', pgtrail._due_entries(
                            v_part.trail_name, v_due.organisation_id, v_part.month, v_due.before), ') as due'], ' ')
                        into v_found;
                    else
                        while v_batches < v_setting.max_batches loop
                            v_removed := pgtrail._purge_entries(
                                v_part.trail_name, v_due.organisation_id, v_part.month, v_due.before,
                                v_setting.batch_size);
                            v_found := v_found + v_removed;
                            -- What holds keep back does not use up the batches.
                            v_batches := v_batches + (v_removed > 0)::int;
                            exit when v_removed < v_setting.batch_size;
                        end loop;
                        if v_found > 0 then
                            perform pgtrail.recount(
                                v_part.relation, v_part.month, v_part.month + interval '1 month',
                                v_due.organisation_id);
                        end if;
                    end if;
                    if v_found > 0 then
                        v_lines := v_lines || jsonb_build_object(
                            'trail_name', v_part.trail_name, 'organisation', v_due.organisation_id,
                            'entries', v_found, 'method', 'delete', 'reason', format(
                                'of %s, past %s', to_char(v_part.month, 'YYYY-MM'),
                                pgtrail._keep(v_part.trail_name, v_due.organisation_id)));
                    end if;
                end loop;
            end if;
        exception
            when others then
                v_failures := v_failures + 1;
                v_lines := jsonb_build_array(jsonb_build_object(
                    'trail_name', v_part.trail_name, 'organisation', null, 'entries', 0,
                    'method', case when sqlstate in ('55P03', '40P01') then 'postponed' else 'failed' end,
                    'reason', format('%s: %s', to_char(v_part.month, 'YYYY-MM'), pgtrail.safe_error(sqlstate))));
        end;
        perform set_config('lock_timeout', v_lock_timeout, true);
        v_results := v_results || v_lines;
    end loop;

    if not apply_retention.dry_run then
        insert into pgtrail.purge_run (as_of, started_at, finished_at, entries, failures, results)
        select v_as_of, v_started, clock_timestamp(), coalesce(sum(line.entries), 0), v_failures, v_results
        from jsonb_to_recordset(v_results) as line (entries bigint);
        perform pgtrail._audit('retention.applied', null, jsonb_build_object('as_of', v_as_of, 'results', v_results));
    end if;

    return query
    select line.trail_name, line.organisation, line.entries, line.method, line.reason
    from jsonb_to_recordset(v_results) as line (
        trail_name text, organisation uuid, entries bigint, method text, reason text);
end;
$$;

revoke all on function pgtrail.apply_retention(timestamptz, boolean)
    from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail.apply_retention(timestamptz, boolean) is
    'Removes the entries that are past their policy at as_of, whole partitions by DROP and others in batches, as many '
    'as pgtrail.retention_setting allows a run, and returns what it removed, a line a month and organisation; a dry '
    'run returns what there is to remove. Never removes what is held, not sealed, or younger than the floor. method '
    'is drop, delete, postponed or failed. What is postponed waits for the next run: somebody was using the partition, '
    'or with archive_before_drop it is not archived yet. Leaves a row in pgtrail.purge_run and an entry in audit_log. '
    'Raises 22023 (as_of), TR005 (in a copy of the database).';
