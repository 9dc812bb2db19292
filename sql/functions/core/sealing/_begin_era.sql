-- After a restore into another cluster transaction ids start low: new entries would lie below the position of the log.
-- The writers wait while the old era is closed; lock_timeout keeps that short, and the next call tries again.
create or replace function pgtrail._begin_era(log_id int)
    returns void
    language plpgsql
    set search_path = pg_catalog, pg_temp
    set lock_timeout = '5s'
as $$
declare
    c_end constant pgtrail.log_position := pgtrail._era_end();
    v_log pgtrail.log;
    v_trail record;
    v_batch bigint;
    v_stray record;
    v_version smallint;
    v_late jsonb := '[]'::jsonb;
    v_leaves bytea[] := '{}'::bytea[];
    v_content jsonb;
begin
    select head.* into strict v_log from pgtrail.log as head where head.log_id = _begin_era.log_id;

    for v_trail in select registered.relation from pgtrail.trail as registered order by registered.trail_name loop
        execute format('alter table %s alter column era set default %s', v_trail.relation, v_log.era + 1);
    end loop;

    -- What the old cluster had not sealed yet, and what the new one wrote with ids above the position.
    while pgtrail._seal_batch(v_log.log_id, c_end.tx_id, 10000) = 10000 loop
    end loop;

    -- What the new one wrote with ids below it: entries that lie within a batch and are no leaf of it.
    for v_batch in
        select batch.first_leaf from pgtrail.batch as batch
        where batch.log_id = v_log.log_id and batch.era = v_log.era
        order by batch.first_leaf
    loop
        for v_stray in
            select found.trail_name, found.entry_id
            from pgtrail.verify_batch(v_batch) as found
            where found.defect = 'inserted'
        loop
            select max(format.version) into v_version
            from pgtrail.entry_format as format
            where format.trail_name = v_stray.trail_name;
            v_leaves := v_leaves
                || sha256('\x00'::bytea || pgtrail._entry_bytes(v_stray.trail_name, v_stray.entry_id, v_version));
            perform pgtrail._add_counts(
                pgtrail._hour_counts(v_stray.trail_name, format('entry.id = %L', v_stray.entry_id)));
            v_late := v_late || jsonb_build_object(
                'trail_name', v_stray.trail_name,
                'entry_id', v_stray.entry_id,
                'month', date_trunc('month', pgtrail.uuid7_time(v_stray.entry_id) at time zone 'UTC')::date,
                'version', v_version);
        end loop;
    end loop;

    if cardinality(v_leaves) > 0 then
        select head.* into strict v_log from pgtrail.log as head where head.log_id = _begin_era.log_id;
        select jsonb_agg(to_jsonb(part)) into v_content
        from (
            select late.trail_name, late.month, late.version, count(*) as entries
            from jsonb_to_recordset(v_late) as late (trail_name text, month date, version smallint)
            group by late.trail_name, late.month, late.version
        ) as part;
        insert into pgtrail.late_entry (log_id, leaf_index, trail_name, entry_id, reason)
        select v_log.log_id, v_log.tree_size + late.place - 1, late.value ->> 'trail_name',
            (late.value ->> 'entry_id')::uuid, 'written after a restore, before it was noticed'
        from jsonb_array_elements(v_late) with ordinality as late (value, place);
        perform pgtrail._append_batch(v_log, v_leaves, v_content, c_end);
    end if;

    perform pgtrail._move_head(v_log.log_id, pgtrail._position_before('0'::xid8));
    update pgtrail.log as head
    set era = head.era + 1,
        system_identifier = (select control.system_identifier from pg_control_system() as control)
    where head.log_id = v_log.log_id;
end;
$$;

revoke all on function pgtrail._begin_era from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._begin_era is
    'Closes the era of another cluster: seals all of its entries and those that this cluster wrote under it, and '
    'begins a new one. Raises 55P03 when a writer keeps it waiting for more than 5 seconds.';
