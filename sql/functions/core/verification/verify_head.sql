create or replace function pgtrail.verify_head(checkpoints int default null)
    returns table (defect text, trail_name text, entry_id uuid, detail text)
    language plpgsql
    stable
    security definer
    set search_path = pg_catalog, pg_temp
    set jit = off
as $$
declare
    v_log pgtrail.log;
    v_end pgtrail.batch;
    v_next_tx_id xid8;
    v_relation regclass;
    v_version smallint;
begin
    select head.* into strict v_log from pgtrail.log as head where head.log_id = 1;

    -- Before seal() has noticed a restore into another cluster, transaction ids there say nothing.
    select case
            when control.system_identifier = v_log.system_identifier then pg_snapshot_xmax(pg_current_snapshot())
            else '18446744073709551615'::xid8
        end
    into strict v_next_tx_id
    from pg_control_system() as control;

    -- Batches must follow one another without a gap, in leaves and in positions.
    return query
    select 'log damaged'::text, null::text, null::uuid,
        format('the batch at leaf %s does not continue the one before it', link.first_leaf)
    from (
        select batch.first_leaf,
            lag(batch.first_leaf + batch.entries, 1, 0::bigint) over leaves as expected_leaf,
            batch.era < lag(batch.era, 1, 0::smallint) over leaves as goes_back,
            (batch.from_tx_id, batch.from_trail_name, batch.from_entry_id)
                = (lag(batch.to_tx_id, 1, '0'::xid8) over positions, lag(batch.to_trail_name, 1, '') over positions,
                    lag(batch.to_entry_id, 1, '00000000-0000-0000-0000-000000000000'::uuid) over positions) as continues
        from pgtrail.batch as batch
        where batch.log_id = 1
        window leaves as (order by batch.first_leaf), positions as (partition by batch.era order by batch.first_leaf)
    ) as link
    where link.first_leaf <> link.expected_leaf or link.goes_back or not link.continues;

    select batch.* into v_end from pgtrail.batch as batch where batch.log_id = 1 order by batch.first_leaf desc limit 1;
    return query
    select 'log damaged'::text, null::text, null::uuid, wrong.detail
    from (values
        (
            v_end.era > v_log.era
                or v_end.era = v_log.era
                    and (v_end.to_tx_id, v_end.to_trail_name, v_end.to_entry_id)
                        > (v_log.tx_id, v_log.trail_name, v_log.entry_id),
            'the position of the log lies before the end of its last batch'
        ),
        (
            v_log.tx_id > v_next_tx_id,
            'the position of the log lies in a transaction that has not begun'
        ),
        (
            v_log.origin is distinct from (
                select used.origin from pgtrail.origin as used
                where used.log_id = 1
                order by used.started_at desc
                limit 1),
            'the origin of the log is not the one that pgtrail.origin has last'
        )
    ) as wrong (found, detail)
    where wrong.found;

    if v_log.tree_size <> coalesce(v_end.first_leaf + v_end.entries, 0) then
        return query select 'log damaged'::text, null::text, null::uuid,
            format('the log has %s leaves, its batches end at %s', v_log.tree_size,
                   coalesce(v_end.first_leaf + v_end.entries, 0));
    end if;
    if not pgtrail.verify_checkpoint(v_log.tree_size, v_log.root) then
        return query select 'root mismatch'::text, null::text, null::uuid,
            format('the tiles do not give the root of the log at size %s', v_log.tree_size);
    end if;
    return query
    select 'tile damaged'::text, null::text, null::uuid,
        format('tile %s of level %s holds hashes beyond the size of the log', tile.tile_index, tile.level)
    from pgtrail.tile as tile
    where tile.log_id = 1
        and tile.tile_index * 256 + octet_length(tile.hashes) / 32 > v_log.tree_size >> (8 * tile.level);

    -- Between the end of an era's batches and its position nothing was left when it was sealed.
    return query
    select 'inserted'::text, entries.trail_name, entries.entry_id, 'lies below the watermark and is in no batch'
    from (
        select ended.era, ended.to_tx_id, ended.to_trail_name, ended.to_entry_id,
            case when ended.era = v_log.era then v_log.tx_id else '18446744073709551615'::xid8 end as end_tx_id,
            case when ended.era = v_log.era then v_log.trail_name else '' end as end_trail_name,
            case when ended.era = v_log.era then v_log.entry_id else '00000000-0000-0000-0000-000000000000'::uuid end
                as end_entry_id
        from (
            select distinct on (era.era) era.era::smallint as era,
                coalesce(batch.to_tx_id, '0'::xid8) as to_tx_id,
                coalesce(batch.to_trail_name, '') as to_trail_name,
                coalesce(batch.to_entry_id, '00000000-0000-0000-0000-000000000000'::uuid) as to_entry_id
            from generate_series(0, v_log.era) as era
            left join pgtrail.batch as batch on batch.log_id = 1 and batch.era = era.era
            order by era.era, batch.first_leaf desc nulls last
        ) as ended
    ) as gap
    cross join lateral pgtrail._encoded_entries(
        gap.era, gap.to_tx_id, gap.to_trail_name, gap.to_entry_id,
        gap.end_tx_id, gap.end_trail_name, gap.end_entry_id, null, null,
        array(
            select present.trail_name
            from unnest(pgtrail._trails_between(gap.to_tx_id, gap.end_tx_id)) as present (trail_name)
            where exists (
                select from pgtrail.entry_format as format where format.trail_name = present.trail_name)
        )) as entries
    where (gap.to_tx_id, gap.to_trail_name, gap.to_entry_id) <> (gap.end_tx_id, gap.end_trail_name, gap.end_entry_id);

    return query
    select 'log damaged'::text, registered.trail_name, null::uuid, 'pgtrail.entry_format has no format of its entries'
    from pgtrail.trail as registered
    where not exists (
        select from pgtrail.entry_format as format where format.trail_name = registered.trail_name);

    -- New entries get the era that the log is in.
    return query
    select 'log damaged'::text, registered.trail_name, null::uuid,
        format('new entries get era %s, the log is in era %s',
               pg_get_expr(expression.adbin, expression.adrelid), v_log.era)
    from pgtrail.trail as registered
    join pg_catalog.pg_attribute as attribute on attribute.attrelid = registered.relation and attribute.attname = 'era'
    left join pg_catalog.pg_attrdef as expression
        on expression.adrelid = attribute.attrelid and expression.adnum = attribute.attnum
    where pg_get_expr(expression.adbin, expression.adrelid) !~ format('^''?%s''?(::smallint)?$', v_log.era);

    -- What was listed as an exception must be one.
    return query
    select 'inserted'::text, late.trail_name, late.entry_id, 'is listed as late at a leaf that the log does not have'
    from pgtrail.late_entry as late
    where late.log_id = 1 and late.leaf_index not between 0 and v_log.tree_size - 1;
    for trail_name, entry_id, v_version in
        select unsealable.trail_name, unsealable.entry_id,
            (
                select max(format.version)
                from pgtrail.entry_format as format
                where format.trail_name = unsealable.trail_name
            )
        from pgtrail.unsealable_entry as unsealable
    loop
        begin
            if octet_length(pgtrail._entry_bytes(trail_name, entry_id, v_version)) <= 65535 then
                defect := 'inserted';
                detail := 'was set aside as unsealable, and can be encoded';
                return next;
            end if;
        exception
            when data_exception or feature_not_supported or program_limit_exceeded then null;
        end;
    end loop;

    -- Entries that no seal will ever take.
    for trail_name, v_relation in
        select registered.trail_name, registered.relation from pgtrail.trail as registered
    loop
        for entry_id in execute format(
            -- The eras take a scan of the whole trail.
            'select id from %1$s where era = $1 and tx_id >= $2 and tx_id is distinct from $3'
            || case when verify_head.checkpoints is null then
                ' union all select id from %1$s where era not between 0 and $1'
                else '' end,
            v_relation)
            -- One's own transaction may be ahead of the snapshot.
            using v_log.era, v_next_tx_id, pg_current_xact_id_if_assigned()
        loop
            defect := 'inserted';
            detail := 'has an era or a transaction that has not begun';
            return next;
        end loop;
    end loop;

    return query
    select 'published checkpoint does not fit'::text, null::text, null::uuid,
        format('%s had another root at size %s', published.origin, published.tree_size)
    from (
        select kept.*
        from pgtrail.published_checkpoint as kept
        where kept.log_id = 1
        order by kept.published_at desc
        limit verify_head.checkpoints
    ) as published
    where split_part(published.note, E'\n\n', 1) <> concat_ws(
            E'\n', published.origin, published.tree_size, encode(published.root, 'base64'))
        or published.origin = v_log.origin
            and not pgtrail.verify_checkpoint(published.tree_size, published.root);
end;
$$;

revoke all on function pgtrail.verify_head(int) from public, anon, authenticated, service_role;
grant execute on function pgtrail.verify_head(int) to pgtrail_auditor;
comment on function pgtrail.verify_head(int) is
    'Returns the defects of the log that belong to no batch: a broken order of batches, a head that the tiles do not '
    'give, entries below the watermark that are in no batch or that no seal will take, exceptions that are none, '
    'published checkpoints that no longer fit. With a number of checkpoints it is bounded: of those only the newest '
    'are looked at, and not every entry for its era.';
