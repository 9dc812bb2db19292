create or replace function pgtrail._drop_partition(trail_name text, partition regclass, month timestamptz)
    returns bigint
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
    set timezone = 'UTC'
as $$
declare
    -- Its name while it has one: a profiler may look at the statement again when it is gone.
    v_table text := _drop_partition.partition::text;
    v_sealed bigint;
    v_counted bigint;
begin
    select coalesce(sum(content.entries - content.purged), 0)::bigint into v_sealed
    from pgtrail.batch_content as content
    where content.trail_name = _drop_partition.trail_name and content.month = _drop_partition.month::date;
    delete from pgtrail.rollup as rollup
    where rollup.trail_name = _drop_partition.trail_name
        and rollup.unit = 'hour'
        and rollup.starts_at >= _drop_partition.month
        and rollup.starts_at < _drop_partition.month + interval '1 month';
    with gone as (
        delete from pgtrail.rollup as rollup
        where rollup.trail_name = _drop_partition.trail_name
            and rollup.unit = 'month'
            and rollup.starts_at = _drop_partition.month
        returning rollup.entries
    )
    select coalesce(sum(gone.entries), 0)::bigint into v_counted from gone;
    if v_sealed <> v_counted then
        raise exception 'a purge must remove what is due, no more and no less'
            using errcode = 'data_corrupted',
                  detail = format('the log has %s entries of this month, the summaries %s', v_sealed, v_counted),
                  hint = 'Nothing was removed. Run pgtrail.verify() and pgtrail.verify_rollups().';
    end if;

    update pgtrail.batch_content as content
    set purged = content.entries
    where content.trail_name = _drop_partition.trail_name
        and content.month = _drop_partition.month::date
        and content.purged < content.entries;
    execute array_to_string(array['drop table', v_table], ' ');
    return v_sealed;
end;
$$;

revoke all on function pgtrail._drop_partition from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._drop_partition is
    'Drops a month''s partition of a trail, with its counts, and tells the log that its entries were purged. Returns '
    'how many they were. Raises XX001 when log and counts do not agree, 55P03 when somebody keeps it waiting.';
