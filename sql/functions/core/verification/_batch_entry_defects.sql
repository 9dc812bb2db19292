-- What does not match is paired by its place between matching neighbours, so that one edited entry is one defect.
create or replace function pgtrail._batch_entry_defects(batch pgtrail.batch, damaged_tiles bigint[])
    returns table (defect text, trail_name text, entry_id uuid, detail text)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set jit = off
as $$
declare
    v_first_leaf bigint := (_batch_entry_defects.batch).first_leaf;
    v_last_leaf bigint := v_first_leaf + (_batch_entry_defects.batch).entries - 1;
    v_purged bigint := (
        select coalesce(sum(content.purged), 0)
        from pgtrail.batch_content as content
        where content.log_id = 1 and content.first_leaf = v_first_leaf);
begin
    return query
    with pairing as materialized (
        select own.* from pgtrail._matched_entries(_batch_entry_defects.batch) as own
    ),
    matched as (
        select pairing.* from pairing where pairing.entry_id is not null
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
        from pairing as leaf
        left join lateral (
            select max(matched.leaf_index) as leaf_index
            from matched
            where matched.leaf_index < leaf.leaf_index
        ) as before on true
        where leaf.entry_id is null
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
                        and content.first_leaf = v_first_leaf
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
        where pair.entry_id is null and pair.leaf_index >> 8 <> all (_batch_entry_defects.damaged_tiles)
    )
    select case
            when pair.leaf_index is null or v_purged > 0 and surplus.entries > 0 then 'inserted'
            else 'altered'
        end,
        pair.trail_name,
        pair.entry_id,
        case
            when pair.leaf_index is null or v_purged > 0 and surplus.entries > 0
                then format('lies within batch %s and is no leaf of it', v_first_leaf)
            else format('leaf %s has another hash', pair.leaf_index)
        end
    from pair
    left join surplus on surplus.trail_name = pair.trail_name and surplus.month = pair.month
    where pair.entry_id is not null
        and (pair.leaf_index is null or pair.leaf_index >> 8 <> all (_batch_entry_defects.damaged_tiles))
    union all
    select 'missing',
        (
            select case when count(distinct content.trail_name) = 1 then min(content.trail_name) end
            from pgtrail.batch_content as content
            where content.log_id = 1 and content.first_leaf = v_first_leaf
        ),
        null,
        case
            when v_purged = 0 then format('leaf %s has no entry', missing.leaf_index)
            else format('one of the leaves %s to %s has no entry, beyond the %s that were purged', v_first_leaf,
                        v_last_leaf, v_purged)
        end
    from missing
    where missing.rank > v_purged
    union all
    -- With nothing else amiss, what is there and what was purged must add up, partition by partition.
    select 'log damaged', counted.trail_name, null,
        format('batch %s should have %s entries of %s, and has %s and %s purged', v_first_leaf, counted.entries,
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
            where content.log_id = 1 and content.first_leaf = v_first_leaf
        ) as content
        full join (
            select matched.trail_name, matched.month, count(*) as entries
            from matched
            group by matched.trail_name, matched.month
        ) as present on present.trail_name = content.trail_name and present.month = content.month
    ) as counted
    where counted.present + counted.purged <> counted.entries
        and _batch_entry_defects.damaged_tiles = '{}'::bigint[]
        and not exists (select from stray_entry)
        and (select count(*) from missing) <= v_purged;
end;
$$;

revoke all on function pgtrail._batch_entry_defects from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._batch_entry_defects is
    'Returns the defects of the entries of a batch: altered, missing, inserted, and numbers that do not add up. What '
    'the tiles of level 0 in damaged_tiles hold says nothing about an entry.';
