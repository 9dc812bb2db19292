create or replace function pgtrail.apply_retention(as_of timestamptz default now(), dry_run boolean default false)
    returns table (trail_name text, organisation uuid, entries bigint, method text, reason text)
    language plpgsql
    volatile
    security definer
    set search_path = pg_catalog, pg_temp
    set timezone = 'UTC'
    set jit = off
as $$
declare
    -- How long a run may keep readers and writers of a trail waiting.
    c_longest_wait constant text := '500ms';
    v_started timestamptz := clock_timestamp();
    v_setting pgtrail.retention_setting;
    v_as_of timestamptz := apply_retention.as_of;
    v_lock_timeout text := current_setting('lock_timeout');
    v_tried_at timestamptz;
    v_locked_at timestamptz;
    v_part record;
    v_due record;
    v_found bigint;
    v_removed bigint;
    v_drops jsonb := '[]'::jsonb;
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
    elsif not apply_retention.dry_run and not pgtrail._is_retention_enabled() then
        raise exception 'retention is not enabled in this copy of the database'
            using errcode = 'TR005',
                  hint = 'If entries are to be removed here as well, call pgtrail.enable_retention().';
    end if;

    -- The lock of the sealer: what is sealed, and how much of it there is, stays as it is.
    perform from pgtrail.log as head where head.log_id = 1 for update;

    for v_part in
        select registered.trail_name, registered.relation, part.partition, part.month,
            coalesce(due.organisations, '[]'::jsonb) as organisations
        from pgtrail.trail as registered
        cross join lateral pgtrail._monthly_partitions(registered.relation) as part
        left join (
            select one.trail_name, old.month,
                jsonb_agg(to_jsonb(old) order by old.organisation_id) as organisations
            from pgtrail.trail as one
            cross join lateral pgtrail._due_months(one.trail_name, v_as_of) as old
            group by one.trail_name, old.month
        ) as due on due.trail_name = registered.trail_name and due.month = part.month
        where due.organisations is not null
            -- Empty.
            or part.month + interval '1 month' <= v_as_of - pgtrail._retention_period(registered.trail_name, null)
        order by registered.trail_name, part.month
    loop
        -- One failure never stops the others: it is part of the result.
        begin
            v_lines := '[]'::jsonb;
            if v_part.month + interval '1 month' <= v_as_of - v_setting.keep_at_least
                and pgtrail._is_partition_due(v_part.trail_name, v_part.partition, v_part.month, v_as_of)
            then
                if v_setting.archive_before_drop
                    and not pgtrail._is_archived(v_part.trail_name, v_part.month::date)
                then
                    v_failures := v_failures + 1;
                    v_lines := jsonb_build_array(jsonb_build_object(
                        'trail_name', v_part.trail_name, 'organisation', null, 'entries', 0, 'method', 'postponed',
                        'reason', format('%s is not archived yet', to_char(v_part.month, 'YYYY-MM'))));
                elsif jsonb_array_length(v_drops) < v_setting.max_partitions then
                    v_drops := v_drops || to_jsonb(v_part);
                end if;
            else
                for v_due in
                    select due.organisation_id, due.keep
                    from jsonb_to_recordset(v_part.organisations) as due (organisation_id uuid, keep interval)
                loop
                    v_found := 0;
                    if apply_retention.dry_run then
                        execute array_to_string(array['select count(*) from (', pgtrail._due_entries_query(
                            v_part.trail_name, v_due.organisation_id, v_part.month, v_as_of - v_due.keep),
                            ') as due'], ' ')
                        into v_found;
                    else
                        while v_batches < v_setting.max_batches loop
                            v_removed := pgtrail._purge_entries(
                                v_part.trail_name, v_due.organisation_id, v_part.month, v_as_of - v_due.keep,
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
                                'of %s, past %s', to_char(v_part.month, 'YYYY-MM'), v_due.keep));
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
        v_results := v_results || v_lines;
    end loop;

    -- Last, because from the first drop until the end of the transaction everybody else waits for its trail.
    for v_part in
        select part.*
        from jsonb_to_recordset(v_drops) as part (
            trail_name text, partition regclass, month timestamptz, organisations jsonb)
    loop
        begin
            select coalesce(
                jsonb_agg(jsonb_build_object(
                    'trail_name', v_part.trail_name, 'organisation', due.organisation_id,
                    'entries', due.entries, 'method', 'drop', 'reason', format(
                        '%s is past %s', to_char(v_part.month, 'YYYY-MM'), due.keep))),
                jsonb_build_array(jsonb_build_object(
                    'trail_name', v_part.trail_name, 'organisation', null, 'entries', 0, 'method', 'drop',
                    'reason', format('%s is empty and past the policy of the trail',
                                     to_char(v_part.month, 'YYYY-MM')))))
            into v_lines
            from jsonb_to_recordset(v_part.organisations) as due (organisation_id uuid, keep interval, entries bigint);
            if not apply_retention.dry_run then
                v_tried_at := clock_timestamp();
                -- Who has others waiting does not wait for long itself.
                perform set_config(
                    'lock_timeout', case when v_locked_at is null then c_longest_wait else '50ms' end, true);
                perform pgtrail._drop_partition(v_part.trail_name, v_part.partition, v_part.month);
                v_locked_at := coalesce(v_locked_at, v_tried_at);
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
        exit when clock_timestamp() > v_locked_at + c_longest_wait::interval;
    end loop;

    if not apply_retention.dry_run then
        insert into pgtrail.purge_run (as_of, started_at, finished_at, entries, failures, results)
        select v_as_of, v_started, clock_timestamp(), coalesce(sum(line.entries), 0), v_failures, v_results
        from jsonb_to_recordset(v_results) as line (entries bigint);
        perform pgtrail._record_act('retention.applied', null, jsonb_build_object('as_of', v_as_of, 'results', v_results));
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
    'or with archive_before_drop it is not archived yet. Nobody waits longer than half a second for a trail: when '
    'drops take longer, the next run goes on. Leaves a row in pgtrail.purge_run and an entry in audit_log. '
    'Raises 22023 (as_of), TR005 (in a copy of the database).';
