create or replace function pgtrail.apply_retention(as_of timestamptz default now(), dry_run boolean default false)
    returns table (trail_name text, organisation uuid, entries bigint, method text, reason text)
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
    set timezone = 'UTC' set jit = off
as $$
declare
    v_started timestamptz := clock_timestamp();
    v_setting pgtrail.retention_setting;
    v_part record;
    v_purged record;
    v_drops jsonb := '[]'::jsonb;
    v_batches int := 0;
    v_lines pgtrail.purge_line[] := '{}'::pgtrail.purge_line[];
begin
    select setting.* into strict v_setting from pgtrail.retention_setting as setting;
    if apply_retention.as_of is null or not apply_retention.dry_run and apply_retention.as_of > clock_timestamp() then
        raise exception 'as_of must not lie in the future'
            using errcode = 'invalid_parameter_value',
                  detail = format('got %s', coalesce(apply_retention.as_of::text, 'null')),
                  hint = 'Only a dry run looks ahead.';
    elsif not apply_retention.dry_run and not pgtrail._is_retention_enabled() then
        raise exception 'retention is not enabled in this copy of the database'
            using errcode = 'TR005',
                  hint = 'If entries are to be removed here as well, call pgtrail.enable_retention().';
    end if;

    -- The lock of the sealer: what is sealed, and how much of it there is, stays as it is.
    perform from pgtrail.log as head where head.log_id = 1 for update;

    for v_part in select due.* from pgtrail._due_partitions(apply_retention.as_of) as due loop
        -- One failure never stops the others: it is part of the result.
        begin
            if v_part.month + interval '1 month' <= apply_retention.as_of - v_setting.keep_at_least
                and pgtrail._is_partition_due(
                    v_part.trail_name, v_part.partition, v_part.month, apply_retention.as_of)
            then
                if v_setting.archive_before_drop
                    and not pgtrail._is_archived(v_part.trail_name, v_part.month::date)
                then
                    v_lines := v_lines || row(
                        v_part.trail_name, null, 0, 'postponed',
                        format('%s is not archived yet', to_char(v_part.month, 'YYYY-MM')))::pgtrail.purge_line;
                elsif jsonb_array_length(v_drops) < v_setting.max_partitions then
                    v_drops := v_drops || to_jsonb(v_part);
                end if;
            else
                v_purged := pgtrail._purge_organisations(
                    v_part.trail_name, v_part.relation, v_part.month, v_part.organisations, apply_retention.as_of,
                    apply_retention.dry_run, v_setting.max_batches - v_batches, v_setting.batch_size);
                v_batches := v_batches + v_purged.batches;
                v_lines := v_lines || v_purged.lines;
            end if;
        exception
            when others then
                v_lines := v_lines || pgtrail._refused_purge(v_part.trail_name, v_part.month, sqlstate);
        end;
    end loop;

    -- Drops come last, because from the first one until the end of the transaction everybody else waits for its trail.
    v_lines := v_lines || pgtrail._drop_due_partitions(v_drops, apply_retention.dry_run);

    if not apply_retention.dry_run then
        insert into pgtrail.purge_run (as_of, started_at, finished_at, entries, failures, results)
        select apply_retention.as_of, v_started, clock_timestamp(), coalesce(sum(line.entries), 0),
            count(*) filter (where line.method in ('postponed', 'failed')),
            coalesce(jsonb_agg(to_jsonb(line)), '[]'::jsonb)
        from unnest(v_lines) as line;
        perform pgtrail._record_act('retention.applied', null, jsonb_build_object(
            'as_of', apply_retention.as_of, 'results', to_jsonb(v_lines)));
    end if;

    return query select line.* from unnest(v_lines) as line;
end;
$$;

revoke all on function pgtrail.apply_retention from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail.apply_retention is
    'Removes the entries that are past their policy at as_of, whole partitions by DROP and others in batches, as many '
    'as pgtrail.retention_setting allows a run, and returns what it removed, a line a month and organisation; a dry '
    'run returns what there is to remove. Never removes what is held, not sealed, or younger than the floor. method '
    'is drop, delete, postponed or failed. What is postponed waits for the next run: somebody was using the partition, '
    'or with archive_before_drop it is not archived yet. Nobody waits longer than half a second for a trail: when '
    'drops take longer, the next run goes on. Leaves a row in pgtrail.purge_run and an entry in audit_log. '
    'Raises 22023 (as_of), TR005 (in a copy of the database).';
