-- As in verify_batch(), the leaf of an entry is found by its hash, so that it is found when its neighbours were purged.
-- The settings are those of _encoded_entries(): values are rendered as they were when the entry was sealed. A batch is
-- joined as a whole, never entry by entry, whatever the planner makes of tables that it has no statistics of.
create or replace function pgtrail.archive_entries(
    trail       regclass,
    month       date,
    after_leaf  bigint default -1,
    max_entries int default 10000
)
    returns table (leaf_index bigint, entry bytea, entry_row jsonb)
    language plpgsql stable security definer
    set search_path = pg_catalog, pg_temp
    set timezone = 'UTC' set datestyle = 'ISO, MDY' set intervalstyle = 'iso_8601' set extra_float_digits = 1
    set bytea_output = 'hex' set jit = off set enable_sort = off set enable_bitmapscan = off
    set enable_seqscan = off set enable_nestloop = off
as $$
declare
    v_trail text := pgtrail.trail_name(archive_entries.trail);
    v_first_id uuid;
    v_end_id uuid;
    v_part record;
    v_batch pgtrail.batch;
    v_left int := archive_entries.max_entries;
    v_found int;
begin
    perform pgtrail._require_month(archive_entries.month);
    if (archive_entries.max_entries > 0) is not true then
        raise exception 'max_entries must be 1 or more'
            using errcode = 'invalid_parameter_value',
                  detail = format('got %s', coalesce(archive_entries.max_entries::text, 'null')),
                  hint = 'Leave it out for 10000.';
    elsif (archive_entries.after_leaf >= -1) is not true then
        raise exception 'after_leaf must be a leaf, or -1'
            using errcode = 'invalid_parameter_value',
                  detail = format('got %s', coalesce(archive_entries.after_leaf::text, 'null')),
                  hint = 'Send the last leaf_index that came, or leave it out to begin.';
    end if;
    v_first_id := pgtrail.uuid7_floor(archive_entries.month::timestamptz);
    v_end_id := pgtrail.uuid7_floor(archive_entries.month + interval '1 month');

    for v_part in
        select batch, content.version
        from pgtrail.batch_content as content
        join pgtrail.batch as batch on batch.log_id = content.log_id and batch.first_leaf = content.first_leaf
        where content.log_id = 1
            and content.trail_name = v_trail
            and content.month = archive_entries.month
            and content.purged < content.entries
            and batch.first_leaf + batch.entries - 1 > archive_entries.after_leaf
        order by batch.first_leaf
    loop
        v_batch := v_part.batch;
        return query execute array_to_string(array[
            format(
                $query$
                with leaf as materialized (
                    select own.leaf_index, own.hash from pgtrail._leaves($5, ($6 - $5 + 1)::int) as own
                )
                select leaf.leaf_index, entry."pgtrail bytes", %1$s
                from (
                    select entry.*, encoded.bytes as "pgtrail bytes",
                        sha256('\x00'::bytea || encoded.bytes) as "pgtrail hash"
                    from (
                        select sealed.*
                        from (%2$s) as sealed
                        where sealed.id < %7$L
                        union all
                        select row.*
                        from %3$s as row
                        where row.id >= %5$L
                            and row.id < %7$L
                            and row.id = any (array(
                                select late.entry_id
                                from pgtrail.late_entry as late
                                where late.log_id = 1
                                    and late.leaf_index between $5 and $6
                                    and late.trail_name = %4$L))
                    ) as entry
                    cross join lateral (select %6$s as bytes offset 0) as encoded
                    offset 0
                ) as entry
                join leaf on leaf.hash = entry."pgtrail hash"
                where leaf.leaf_index > $7
                order by leaf.leaf_index
                limit $8
                $query$,
                pgtrail._archive_row_expression(v_trail, v_part.version),
                pgtrail._entries_query(
                    v_trail, 'row.*', pgtrail._batch_start(v_batch), pgtrail._batch_end(v_batch), v_first_id, v_end_id),
                archive_entries.trail, v_trail, v_first_id,
                pgtrail._entry_expression(v_trail, v_part.version), v_end_id)
        ], '')
        using v_batch.era, v_batch.from_tx_id, v_batch.to_tx_id, null::bigint,
            v_batch.first_leaf, v_batch.first_leaf + v_batch.entries - 1, archive_entries.after_leaf, v_left;
        get diagnostics v_found = row_count;
        v_left := v_left - v_found;
        exit when v_left = 0;
    end loop;
end;
$$;

revoke all on function pgtrail.archive_entries from public, anon, authenticated, service_role;
grant execute on function pgtrail.archive_entries to pgtrail_auditor;
comment on function pgtrail.archive_entries is
    'Returns the sealed entries of a trail''s month (UTC, named by its first day) behind a leaf, in the order of the '
    'log: leaf, the bytes whose hash the leaf is, and the columns in readable form, {"value", "salt"} of those that '
    'the entry has hashed. Entries that are not as they were sealed are left out: fewer than the log''s count means '
    'that pgtrail.verify() has something to tell. Raises 22023.';
