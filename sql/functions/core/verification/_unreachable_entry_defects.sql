create or replace function pgtrail._unreachable_entry_defects(every_era boolean)
    returns table (defect text, trail_name text, entry_id uuid, detail text)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set jit = off
as $$
declare
    v_log pgtrail.log;
    v_relation regclass;
begin
    select head.* into strict v_log from pgtrail.log as head where head.log_id = 1;
    for trail_name, v_relation in
        select registered.trail_name, registered.relation from pgtrail.trail as registered
    loop
        for entry_id in execute format(
            -- The eras take a scan of the whole trail.
            'select id from %1$s where era = $1 and tx_id >= $2 and tx_id is distinct from $3'
            || case when _unreachable_entry_defects.every_era then
                ' union all select id from %1$s where era not between 0 and $1'
                else '' end,
            v_relation)
            -- One's own transaction may be ahead of the snapshot.
            using v_log.era, pgtrail._next_tx_id(v_log), pg_current_xact_id_if_assigned()
        loop
            defect := 'inserted';
            detail := 'has an era or a transaction that has not begun';
            return next;
        end loop;
    end loop;
end;
$$;

revoke all on function pgtrail._unreachable_entry_defects
    from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._unreachable_entry_defects is
    'Returns a defect for each entry that no seal will ever take: of a transaction that has not begun or, with '
    'every_era, which reads every entry, of an era that has not.';
