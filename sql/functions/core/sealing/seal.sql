create or replace function pgtrail.seal(max_entries int default 50000)
    returns bigint
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    c_batch_entries constant int := 10000;
    v_log pgtrail.log;
    v_watermark xid8;
    v_trails text[];
    v_sealed bigint := 0::bigint;
    v_closed bigint := 0::bigint;
    v_wanted int;
    v_found int;
begin
    if (seal.max_entries > 0) is not true then
        raise exception 'max_entries must be 1 or more'
            using errcode = 'invalid_parameter_value',
                  detail = format('got %s', coalesce(seal.max_entries::text, 'null')),
                  hint = 'Leave it out to seal up to 50,000 entries.';
    end if;

    -- A checkpoint that was seen must survive a crash.
    perform set_config('synchronous_commit', 'on', true);

    -- One sealer at a time. Writers never take this lock.
    select head.* into strict v_log from pgtrail.log as head where head.log_id = 1 for update;
    if v_log.system_identifier <> (select control.system_identifier from pg_control_system() as control) then
        v_closed := -v_log.tree_size;
        perform pgtrail._begin_era(v_log.log_id);
        select head.* into strict v_log from pgtrail.log as head where head.log_id = 1;
        v_closed := v_closed + v_log.tree_size;
    end if;

    -- Every transaction below the watermark has ended. The entries are read in later statements, whose snapshots
    -- see all of them; in the same statement the snapshot could be older than the watermark.
    v_watermark := pg_snapshot_xmin(pg_current_snapshot());
    v_trails := pgtrail._trails_between(v_log.tx_id, v_watermark);
    if v_trails = '{}'::text[] then
        perform pgtrail._move_head(v_log.log_id, pgtrail._position_before(v_watermark));
    end if;
    while v_trails <> '{}'::text[] loop
        v_wanted := least(c_batch_entries, seal.max_entries - v_sealed)::int;
        v_found := pgtrail._seal_batch(v_log.log_id, v_watermark, v_wanted, v_trails);
        v_sealed := v_sealed + v_found;
        exit when v_found < v_wanted or v_sealed >= seal.max_entries;
    end loop;

    update pgtrail.log as head set sealed_at = clock_timestamp() where head.log_id = v_log.log_id;
    return v_sealed + v_closed;
end;
$$;

revoke all on function pgtrail.seal from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail.seal is
    'Turns committed entries of all trails into leaves of the log, up to max_entries, and returns how many; 0 when '
    'there is nothing to do. Entries of transactions that are still open, and of later ones, wait. Call it each '
    'minute. Never blocks a writer; a second sealer waits. Raises 22023 (max_entries).';
