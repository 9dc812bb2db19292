-- Settings that render values are pinned here, where every encoding takes place. Those of the planner make it read the
-- index on (tx_id, id) of each partition in order and stop at the limit, however large a transaction is.
create or replace function pgtrail._encoded_entries(
    era         smallint,
    behind      pgtrail.log_position,
    up_to       pgtrail.log_position,
    max_entries int default null,
    first_leaf  bigint default null,
    of_trails   text[] default null
)
    returns table (
        tx_id           xid8,
        trail_name      text,
        entry_id        uuid,
        version         smallint,
        leaf            bytea,
        organisation_id uuid,
        at              timestamptz,
        bucket          text
    )
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set timezone = 'UTC' set datestyle = 'ISO, MDY' set intervalstyle = 'iso_8601' set extra_float_digits = 1
    set bytea_output = 'hex' set jit = off set enable_sort = off set enable_bitmapscan = off
    set enable_seqscan = off
as $$
declare
    v_range record;
    v_trail record;
    v_parts text[] := '{}'::text[];
begin
    v_range := pgtrail._occupied_range(
        _encoded_entries.era, _encoded_entries.behind, _encoded_entries.up_to, _encoded_entries.max_entries,
        coalesce(
            _encoded_entries.of_trails,
            pgtrail._trails_between((_encoded_entries.behind).tx_id, (_encoded_entries.up_to).tx_id)));
    if v_range.trails = '{}'::text[] then
        return;
    end if;

    for v_trail in
        select registered.trail_name,
            coalesce(
                pgtrail._sealed_version(_encoded_entries.first_leaf, registered.trail_name),
                (
                    select max(format.version)
                    from pgtrail.entry_format as format
                    where format.trail_name = registered.trail_name
                )
            ) as version
        from pgtrail.trail as registered
        where registered.trail_name = any (v_range.trails)
        order by registered.trail_name collate "C"
    loop
        v_parts := v_parts || format(
            $query$
            select entry.tx_id, %1$L::text collate "C" as trail_name, entry.id as entry_id,
                %2$s::smallint as version,
                case when octet_length(encoded.bytes) <= 65535 then sha256('\x00'::bytea || encoded.bytes) end as leaf,
                %3$s
            from (%4$s) as entry
            cross join lateral (select %5$s as bytes offset 0) as encoded
            $query$,
            v_trail.trail_name, v_trail.version, pgtrail._counted_columns_expression(v_trail.trail_name),
            pgtrail._entries_query(
                v_trail.trail_name, 'row.*', _encoded_entries.behind, _encoded_entries.up_to,
                v_range.first_id, v_range.last_id),
            pgtrail._entry_expression(v_trail.trail_name, v_trail.version));
    end loop;

    return query execute format(
        'select * from (%s) as entries order by tx_id, trail_name, entry_id limit $4',
        array_to_string(v_parts, ' union all '))
    using _encoded_entries.era, (_encoded_entries.behind).tx_id, (_encoded_entries.up_to).tx_id,
        _encoded_entries.max_entries;
end;
$$;

revoke all on function pgtrail._encoded_entries from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._encoded_entries is
    'Returns the entries of an era behind one position and up to another, in the order of the log, with '
    'their leaf hashes (RFC 6962: sha256(0x00 || entry); null when the entry is longer than 65,535 bytes) and what '
    'they are counted by. first_leaf names a batch whose entry formats to use instead of the newest; of_trails are '
    'those that have entries there, when that is known.';
