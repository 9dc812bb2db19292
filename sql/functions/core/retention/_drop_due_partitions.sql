create or replace function pgtrail._drop_due_partitions(partitions jsonb, dry_run boolean)
    returns pgtrail.purge_line[]
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
    set timezone = 'UTC'
as $$
declare
    -- A run may keep readers and writers of a trail waiting for this long.
    c_longest_wait constant text := '500ms';
    v_lock_timeout text := current_setting('lock_timeout');
    v_tried_at timestamptz;
    v_locked_at timestamptz;
    v_part record;
    v_lines pgtrail.purge_line[] := '{}'::pgtrail.purge_line[];
begin
    for v_part in
        select part.*
        from jsonb_to_recordset(_drop_due_partitions.partitions) as part (
            trail_name text, partition regclass, month timestamptz, organisations jsonb)
    loop
        -- One failure never stops the others: it is part of the result.
        begin
            if not _drop_due_partitions.dry_run then
                v_tried_at := clock_timestamp();
                -- Who has others waiting does not wait for long itself.
                perform set_config(
                    'lock_timeout', case when v_locked_at is null then c_longest_wait else '50ms' end, true);
                perform pgtrail._drop_partition(v_part.trail_name, v_part.partition, v_part.month);
                v_locked_at := coalesce(v_locked_at, v_tried_at);
            end if;
            v_lines := v_lines || pgtrail._dropped_lines(v_part.trail_name, v_part.month, v_part.organisations);
        exception
            when others then
                v_lines := v_lines || pgtrail._refused_purge(v_part.trail_name, v_part.month, sqlstate);
        end;
        perform set_config('lock_timeout', v_lock_timeout, true);
        exit when clock_timestamp() > v_locked_at + c_longest_wait::interval;
    end loop;
    return v_lines;
end;
$$;

revoke all on function pgtrail._drop_due_partitions from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._drop_due_partitions is
    'Drops partitions, given as rows of _due_partitions(), until half a second has passed since the first drop, from '
    'which on others wait for its trail; a dry run drops none. Returns what became of each.';
