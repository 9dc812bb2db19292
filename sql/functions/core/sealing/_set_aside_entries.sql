create or replace function pgtrail._set_aside_entries(
    era        smallint,
    from_tx_id xid8,
    to_tx_id   xid8
)
    returns int
    language plpgsql
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_trail record;
    v_id uuid;
    v_found int := 0;
begin
    for v_trail in
        select registered.trail_name, registered.relation, max(format.version)::smallint as version
        from pgtrail.trail as registered
        join pgtrail.entry_format as format on format.trail_name = registered.trail_name
        group by registered.trail_name, registered.relation
    loop
        for v_id in execute format(
            'select id from %s where era = $1 and tx_id >= $2 and tx_id <= $3', v_trail.relation)
            using _set_aside_entries.era, _set_aside_entries.from_tx_id, _set_aside_entries.to_tx_id
        loop
            begin
                perform pgtrail._entry_bytes(v_trail.trail_name, v_id, v_trail.version);
            exception
                when data_exception or feature_not_supported or program_limit_exceeded then
                    insert into pgtrail.unsealable_entry (trail_name, entry_id, sqlstate, reason)
                    values (v_trail.trail_name, v_id, sqlstate, sqlerrm)
                    on conflict do nothing;
                    if found then
                        perform pgtrail._add_counts(
                            pgtrail._hour_counts(v_trail.trail_name, format('entry.id = %L', v_id)));
                    end if;
                    v_found := v_found + 1;
            end;
        end loop;
    end loop;
    return v_found;
end;
$$;

revoke all on function pgtrail._set_aside_entries from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._set_aside_entries is
    'Tries to encode each entry of a range of transactions by itself, puts those that cannot be encoded into '
    'pgtrail.unsealable_entry and returns their number. Slow: called only after encoding them at once has failed.';
