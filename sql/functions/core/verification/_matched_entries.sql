create or replace function pgtrail._matched_entries(batch pgtrail.batch)
    returns table (
        trail_name  text,
        entry_id    uuid,
        month       date,
        place       bigint,
        leaf_index  bigint,
        leaf_before bigint
    )
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set jit = off
as $$
begin
    return query
    with entry as materialized (
        select entries.trail_name, entries.entry_id, date_trunc('month', entries.at at time zone 'UTC')::date as month,
            entries.leaf, row_number() over () as place
        from pgtrail._encoded_entries(
            (_matched_entries.batch).era, pgtrail._batch_start(_matched_entries.batch),
            pgtrail._batch_end(_matched_entries.batch), null, (_matched_entries.batch).first_leaf,
            pgtrail._readable_trails((_matched_entries.batch).from_tx_id, (_matched_entries.batch).to_tx_id)) as entries
        union all
        select late.trail_name, late.entry_id,
            date_trunc('month', pgtrail.uuid7_time(late.entry_id) at time zone 'UTC')::date,
            sha256('\x00'::bytea || late.entry), late.leaf_index
        from (
            select listed.trail_name, listed.entry_id, listed.leaf_index,
                pgtrail._entry_bytes(listed.trail_name, listed.entry_id, coalesce(
                    pgtrail._sealed_version((_matched_entries.batch).first_leaf, listed.trail_name),
                    1::smallint)) as entry
            from pgtrail.late_entry as listed
            where listed.log_id = 1
                and listed.leaf_index >= (_matched_entries.batch).first_leaf
                and listed.leaf_index < (_matched_entries.batch).first_leaf + (_matched_entries.batch).entries
        ) as late
        where late.entry is not null
    )
    select entry.trail_name, entry.entry_id, entry.month, entry.place, leaf.leaf_index,
        case when entry.place is not null then max(leaf.leaf_index) over (order by entry.place) end
    from entry
    full join pgtrail._leaves((_matched_entries.batch).first_leaf, (_matched_entries.batch).entries) as leaf
        on leaf.hash = entry.leaf;
end;
$$;

revoke all on function pgtrail._matched_entries from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._matched_entries is
    'Returns the entries that lie between the positions of a batch, in the order of the log, each with its leaf, null '
    'when no leaf has its hash, and the leaf of its nearest matching neighbour up to it; and the leaves of the batch '
    'that no entry has, with nothing else.';
