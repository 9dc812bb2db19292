-- A batch is compared as a set: leaf hashes of its tiles against the entries that lie between its positions. What does
-- not match is paired by its place between matching neighbours, so that one edited entry is one defect.
create or replace function pgtrail.verify_batch(first_leaf bigint)
    returns table (defect text, trail_name text, entry_id uuid, detail text)
    language plpgsql
    stable
    security definer
    set search_path = pg_catalog, pg_temp
    set jit = off
as $$
declare
    v_batch pgtrail.batch;
    v_last bigint;
    v_damaged bigint[] := '{}'::bigint[];
    v_level int;
    v_tile bigint;
    v_log pgtrail.log;
    v_trails text[];
    v_purged bigint;
    v_content bigint;
begin
    select batch.* into v_batch
    from pgtrail.batch as batch
    where batch.log_id = 1 and batch.first_leaf = verify_batch.first_leaf;
    if v_batch.first_leaf is null then
        raise exception 'no batch begins with this leaf'
            using errcode = 'PT404',
                  detail = format('leaf %s', coalesce(verify_batch.first_leaf::text, 'null')),
                  hint = 'Batches are listed in pgtrail.batch.';
    end if;
    v_last := v_batch.first_leaf + v_batch.entries - 1;
    select head.* into strict v_log from pgtrail.log as head where head.log_id = 1;

    -- Tiles first: a leaf that a damaged tile holds says nothing about its entry. Those of level 0 are all looked at
    -- that the batch has leaves in; of the levels above, those that became full with it.
    for v_level, v_tile in
        select place.level, place.tile_index
        from (
            select 0 as level, tile_index
            from generate_series(v_batch.first_leaf >> 8, v_last >> 8) as tile_index
            union all
            select level, tile_index
            from generate_series(1, 6) as level,
                generate_series(v_batch.first_leaf >> (8 * (level + 1)), ((v_last + 1) >> (8 * (level + 1))) - 1)
                    as tile_index
        ) as place
        left join pgtrail.tile as child
            on child.log_id = 1 and child.level = place.level and child.tile_index = place.tile_index
        left join pgtrail.tile as parent
            on parent.log_id = 1 and parent.level = place.level + 1 and parent.tile_index = place.tile_index >> 8
        where coalesce(octet_length(child.hashes), 0)
                < 32 * least(256, (v_log.tree_size >> (8 * place.level)) - place.tile_index * 256)
            or octet_length(child.hashes) = 8192
                and substr(parent.hashes, ((place.tile_index & 255) * 32 + 1)::int, 32)
                    is distinct from pgtrail._subtree_hash(child.hashes)
        order by place.level, place.tile_index
    loop
        if v_level = 0 then
            v_damaged := v_damaged || v_tile;
        end if;
        defect := 'tile damaged';
        detail := format('tile %s of level %s is not what its place in the tree says', v_tile, v_level);
        return next;
    end loop;
    -- The last tile of the log has no level above yet: the root of the log vouches for it.
    if v_last >> 8 = v_log.tree_size >> 8 and not pgtrail.verify_checkpoint(v_log.tree_size, v_log.root) then
        v_damaged := v_damaged || (v_last >> 8);
    end if;

    if not pgtrail.verify_checkpoint(v_last + 1, v_batch.root) then
        defect := 'root mismatch';
        detail := format('the tiles do not give the root of tree size %s', v_last + 1);
        return next;
    end if;

    select coalesce(sum(content.purged), 0), coalesce(sum(content.entries), 0) into v_purged, v_content
    from pgtrail.batch_content as content
    where content.log_id = 1 and content.first_leaf = v_batch.first_leaf;
    if v_content <> v_batch.entries then
        defect := 'log damaged';
        detail := format('the content of batch %s adds up to %s entries, not %s', v_batch.first_leaf, v_content,
                         v_batch.entries);
        return next;
    end if;
    if exists (
        select from pgtrail.batch_content as content
        where content.log_id = 1
            and content.first_leaf = v_batch.first_leaf
            and not exists (
                select from pgtrail.entry_format as format
                where format.trail_name = content.trail_name and format.version = content.version)
    ) then
        defect := 'log damaged';
        detail := format('batch %s has entries of a format that pgtrail.entry_format lacks', v_batch.first_leaf);
        return next;
        return;
    end if;

    select coalesce(array_agg(present.trail_name), '{}'::text[]) into v_trails
    from unnest(pgtrail._trails_between(v_batch.from_tx_id, v_batch.to_tx_id)) as present (trail_name)
    where exists (
        select from pgtrail.entry_format as format where format.trail_name = present.trail_name);

    return query
    with leaf as materialized (
        select place.leaf_index, substr(tile.hashes, ((place.leaf_index & 255) * 32 + 1)::int, 32) as hash
        from generate_series(v_batch.first_leaf, v_last) as place (leaf_index)
        left join pgtrail.tile as tile
            on tile.log_id = 1 and tile.level = 0 and tile.tile_index = place.leaf_index >> 8
    ),
    entry as materialized (
        select entries.trail_name, entries.entry_id,
            date_trunc('month', entries.at at time zone 'UTC')::date as month,
            entries.leaf, row_number() over () as place
        from pgtrail._encoded_entries(
            v_batch.era, v_batch.from_tx_id, v_batch.from_trail_name, v_batch.from_entry_id,
            v_batch.to_tx_id, v_batch.to_trail_name, v_batch.to_entry_id, null, v_batch.first_leaf,
            v_trails) as entries
        union all
        select late.trail_name, late.entry_id, late.month, sha256('\x00'::bytea || late.entry), late.leaf_index
        from (
            select listed.trail_name, listed.entry_id, listed.leaf_index,
                date_trunc('month', pgtrail.uuid7_time(listed.entry_id) at time zone 'UTC')::date as month,
                pgtrail._entry_bytes(listed.trail_name, listed.entry_id, coalesce(
                    (
                        select min(content.version)
                        from pgtrail.batch_content as content
                        where content.log_id = 1
                            and content.first_leaf = v_batch.first_leaf
                            and content.trail_name = listed.trail_name
                    ),
                    1::smallint)) as entry
            from pgtrail.late_entry as listed
            where listed.log_id = 1 and listed.leaf_index between v_batch.first_leaf and v_last
        ) as late
        where late.entry is not null
    ),
    -- The leaf that each entry has, and the leaves of its nearest matching neighbour before it.
    matched as materialized (
        select entry.trail_name, entry.entry_id, entry.month, entry.place, leaf.leaf_index,
            max(leaf.leaf_index) over (order by entry.place) as leaf_before
        from entry
        left join leaf on leaf.hash = entry.leaf
    ),
    stray_entry as (
        select matched.trail_name, matched.entry_id, matched.month, matched.leaf_before,
            row_number() over (partition by matched.leaf_before order by matched.place) as rank
        from matched
        where matched.leaf_index is null
    ),
    stray_leaf as (
        select leaf.leaf_index,
            before.leaf_index as leaf_before,
            row_number() over (partition by before.leaf_index order by leaf.leaf_index) as rank
        from leaf
        left join lateral (
            select max(matched.leaf_index) as leaf_index
            from matched
            where matched.leaf_index < leaf.leaf_index
        ) as before on true
        where not exists (select from matched where matched.leaf_index = leaf.leaf_index)
    ),
    pair as (
        select stray_entry.trail_name, stray_entry.entry_id, stray_entry.month, stray_leaf.leaf_index
        from stray_entry
        full join stray_leaf
            on stray_leaf.leaf_before is not distinct from stray_entry.leaf_before
            and stray_leaf.rank = stray_entry.rank
    ),
    -- How many more entries a partition has in this batch than were sealed and kept.
    surplus as (
        select counted.trail_name, counted.month,
            counted.entries - coalesce(
                (
                    select sum(content.entries - content.purged)
                    from pgtrail.batch_content as content
                    where content.log_id = 1
                        and content.first_leaf = v_batch.first_leaf
                        and content.trail_name = counted.trail_name
                        and content.month = counted.month
                ),
                0) as entries
        from (
            select matched.trail_name, matched.month, count(*) as entries
            from matched
            group by matched.trail_name, matched.month
        ) as counted
    ),
    missing as (
        select pair.leaf_index, row_number() over (order by pair.leaf_index) as rank
        from pair
        where pair.entry_id is null and pair.leaf_index >> 8 <> all (v_damaged)
    )
    select case
            when pair.leaf_index is null or v_purged > 0 and surplus.entries > 0 then 'inserted'
            else 'altered'
        end,
        pair.trail_name,
        pair.entry_id,
        case
            when pair.leaf_index is null or v_purged > 0 and surplus.entries > 0
                then format('lies within batch %s and is no leaf of it', v_batch.first_leaf)
            else format('leaf %s has another hash', pair.leaf_index)
        end
    from pair
    left join surplus on surplus.trail_name = pair.trail_name and surplus.month = pair.month
    where pair.entry_id is not null
        and (pair.leaf_index is null or pair.leaf_index >> 8 <> all (v_damaged))
    union all
    select 'missing',
        (
            select case when count(distinct content.trail_name) = 1 then min(content.trail_name) end
            from pgtrail.batch_content as content
            where content.log_id = 1 and content.first_leaf = v_batch.first_leaf
        ),
        null,
        case
            when v_purged = 0 then format('leaf %s has no entry', missing.leaf_index)
            else format('one of the leaves %s to %s has no entry, beyond the %s that were purged', v_batch.first_leaf,
                        v_last, v_purged)
        end
    from missing
    where missing.rank > v_purged
    union all
    -- With nothing else amiss, what is there and what was purged must add up, partition by partition.
    select 'log damaged', counted.trail_name, null,
        format('batch %s should have %s entries of %s, and has %s and %s purged', v_batch.first_leaf, counted.entries,
               to_char(counted.month, 'YYYY-MM'), counted.present, counted.purged)
    from (
        select coalesce(content.trail_name, present.trail_name) as trail_name,
            coalesce(content.month, present.month) as month,
            coalesce(content.entries, 0) as entries,
            coalesce(content.purged, 0) as purged,
            coalesce(present.entries, 0) as present
        from (
            select content.trail_name, content.month, content.entries, content.purged
            from pgtrail.batch_content as content
            where content.log_id = 1 and content.first_leaf = v_batch.first_leaf
        ) as content
        full join (
            select matched.trail_name, matched.month, count(*) as entries
            from matched
            group by matched.trail_name, matched.month
        ) as present on present.trail_name = content.trail_name and present.month = content.month
    ) as counted
    where counted.present + counted.purged <> counted.entries
        and v_damaged = '{}'::bigint[]
        and not exists (select from stray_entry)
        and (select count(*) from missing) <= v_purged;
end;
$$;

revoke all on function pgtrail.verify_batch(bigint) from public, anon, authenticated, service_role;
grant execute on function pgtrail.verify_batch(bigint) to pgtrail_auditor;
comment on function pgtrail.verify_batch(bigint) is
    'Recomputes one batch of the log from its entries and returns what does not fit; no row when it is intact. '
    'Defects: altered, missing, inserted (below the watermark), tile damaged, root mismatch, log damaged. Entries '
    'that a retention policy purged and columns that were erased are none. Raises PT404 when no batch begins with '
    'that leaf.';
