-- Made of sql/ by `npm run db:build`; never edited.

set role pgtrail_owner;

-- Values are written so that everybody can hold them against the entry: what it has in the open as JSON, what it has
-- hashed as the text and the salt that lead to the hash. Nothing else of the row is there, so nothing is unproved.
create or replace function pgtrail._archive_row_expression(trail_name text, version smallint)
    returns text
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_trail pgtrail.trail;
    v_format pgtrail.entry_format;
    v_values text;
    c_time constant text :=
        'case when entry.%1$I between ''0001-01-01'' and ''9999-12-31'' '
        'then to_jsonb(to_char(entry.%1$I, ''YYYY-MM-DD"T"HH24:MI:SS.US"Z"'')) '
        'else to_jsonb((extract(epoch from entry.%1$I) * 1000000)::bigint) end';
    c_erasable constant text :=
        'case when entry.%1$I::text is not null then jsonb_build_object('
        '''value'', entry.%1$I::text, ''salt'', encode(%3$s, ''hex'')) '
        'else (select jsonb_build_object(''commitment'', encode(erasure.commitment, ''hex'')) '
        'from pgtrail.erasure as erasure where entry.erasure_salt is null and erasure.commitment is not null '
        'and erasure.trail_name = %2$L and erasure.entry_id = entry.id and erasure.column_name = %1$L) end';
    c_digested constant text :=
        'case when entry.%1$I::text is not null '
        'then jsonb_build_object(''value'', entry.%1$I::text, ''salt'', '''') end';
begin
    select registered.* into strict v_trail
    from pgtrail.trail as registered
    where registered.trail_name = _archive_row_expression.trail_name;
    select format.* into strict v_format
    from pgtrail.entry_format as format
    where format.trail_name = _archive_row_expression.trail_name and format.version = _archive_row_expression.version;

    -- A function takes 100 arguments at most.
    select string_agg(format('jsonb_build_object(%s)', object.members), ' || ' order by object.number)
    into v_values
    from (
        select part.place / 50 as number,
            string_agg(
                format('%L, %s', part.column_name, case
                    when type.oid is null then 'null'
                    when part.column_name = any (v_format.erasable) then format(
                        c_erasable, part.column_name, v_format.trail_name,
                        pgtrail._kept_salt_expression(v_format.trail_name, part.column_name))
                    when part.column_name = any (v_format.digested) then format(c_digested, part.column_name)
                    when coalesce(nullif(type.typbasetype, 0), type.oid) in
                        ('timestamptz'::regtype, 'timestamp'::regtype) then format(c_time, part.column_name)
                    when coalesce(nullif(type.typbasetype, 0), type.oid) = 'bytea'::regtype
                        then format('encode(entry.%I, ''hex'')', part.column_name)
                    else format('entry.%I', part.column_name)
                end),
                ', ' order by part.place) as members
        from (
            select named.column_name, named.place
            from unnest(v_format.columns) with ordinality as named (column_name, place)
            union all
            -- It is generated from the id, so it is not in the entry.
            select v_trail.time_column, 0
            where v_trail.time_column <> all (v_format.columns)
        ) as part
        left join pg_catalog.pg_attribute as attribute
            on attribute.attrelid = v_trail.relation
            and attribute.attname = part.column_name
            and not attribute.attisdropped
        left join pg_catalog.pg_type as type on type.oid = attribute.atttypid
        group by part.place / 50
    ) as object;
    return v_values;
end;
$$;

revoke all on function pgtrail._archive_row_expression from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._archive_row_expression is
    'Returns the SQL expression of the row "entry" of a trail as an archive has it: a jsonb object of the columns that '
    'its entry has, and of the event''s time. Of an erasable column {"value", "salt"}, or {"commitment"} once it is '
    'erased, of a digested one {"value", "salt": ""}; times as ISO 8601 in UTC.';

-- What was erased after it was archived is still in the file, which then is not the archive of the month any more.
create or replace function pgtrail._is_archived(trail_name text, month date)
    returns boolean
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set timezone = 'UTC'
as $$
declare
    v_entries bigint := pgtrail._sealed_entry_count(_is_archived.trail_name, _is_archived.month);
begin
    return v_entries = 0 or exists (
        select
        from pgtrail.archive as kept
        where kept.trail_name = _is_archived.trail_name
            and kept.month = _is_archived.month
            and kept.entries = v_entries
            and not pgtrail.has_erasures_since(
                (select registered.relation from pgtrail.trail as registered
                    where registered.trail_name = kept.trail_name),
                kept.month, kept.archived_at)
    );
end;
$$;

revoke all on function pgtrail._is_archived from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._is_archived is
    'Tells whether a trail''s month was archived as it is now: as many entries as the log has, and nothing of it '
    'erased since. A month without entries needs no archive.';

create or replace function pgtrail._require_month(month date)
    returns void
    language plpgsql immutable
    set search_path = pg_catalog, pg_temp
as $$
begin
    if (isfinite(_require_month.month) and extract(day from _require_month.month) = 1) is not true then
        raise exception 'a month is named by its first day'
            using errcode = 'invalid_parameter_value',
                  detail = format('got %s', coalesce(_require_month.month::text, 'null')),
                  hint = 'Write it like 2024-05-01.';
    end if;
end;
$$;

revoke all on function pgtrail._require_month from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._require_month is 'Raises 22023 unless the date is the first day of a month.';

create or replace function pgtrail._sealed_entry_count(trail_name text, month date)
    returns bigint
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
begin
    return (
        select coalesce(sum(content.entries - content.purged), 0)
        from pgtrail.batch_content as content
        where content.trail_name = _sealed_entry_count.trail_name and content.month = _sealed_entry_count.month
    );
end;
$$;

revoke all on function pgtrail._sealed_entry_count from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._sealed_entry_count is
    'Returns how many entries of a trail''s month the log has, without those that a retention policy removed.';

create or replace function pgtrail.archivable_months()
    returns table (trail_name text, month date, entries bigint)
    language plpgsql stable security definer
    set search_path = pg_catalog, pg_temp
    set timezone = 'UTC'
as $$
begin
    return query
    select due.trail_name, due.month::date, pgtrail._sealed_entry_count(due.trail_name, due.month::date)
    from (
        select registered.trail_name, part.partition, part.month
        from pgtrail.trail as registered
        cross join lateral pgtrail._monthly_partitions(registered.relation) as part
        where exists (
                select from pgtrail.retention_policy as policy
                where policy.trail_name = registered.trail_name and policy.keep is not null)
            and part.month + interval '1 month' <= now() - (
                select setting.keep_at_least from pgtrail.retention_setting as setting)
        -- The cheap questions first.
        offset 0
    ) as due
    where not pgtrail._is_archived(due.trail_name, due.month::date)
        and pgtrail._is_partition_due(due.trail_name, due.partition, due.month, now())
    order by due.trail_name, due.month;
end;
$$;

revoke all on function pgtrail.archivable_months from public, anon, authenticated, service_role;
grant execute on function pgtrail.archivable_months to pgtrail_auditor;
comment on function pgtrail.archivable_months is
    'Returns the months of trails that retention may drop as a whole and that are not archived, with how many entries '
    'the log has of each. Months without entries are none of them.';

create or replace function pgtrail.archive_digest(trail regclass, month date)
    returns bytea
    language plpgsql stable security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_trail_name text := pgtrail.trail_name(archive_digest.trail);
begin
    perform pgtrail._require_month(archive_digest.month);
    return (
        select kept.sha256
        from pgtrail.archive as kept
        where kept.trail_name = v_trail_name
            and kept.month = archive_digest.month
            and pgtrail._is_archived(kept.trail_name, kept.month)
    );
end;
$$;

revoke all on function pgtrail.archive_digest from public, anon, authenticated, service_role;
grant execute on function pgtrail.archive_digest to pgtrail_auditor;
comment on function pgtrail.archive_digest is
    'Returns the SHA-256 of the file that a trail''s month (UTC, named by its first day) was archived in; null when '
    'it was not, or is not any more as it was then. Raises 22023.';

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

create or replace function pgtrail.archive_header(trail regclass, month date)
    returns table (origin text, time_column name, columns jsonb)
    language plpgsql stable security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_trail_name text := pgtrail.trail_name(archive_header.trail);
begin
    perform pgtrail._require_month(archive_header.month);
    return query
    select head.origin, registered.time_column, (
        select jsonb_object_agg(format.trail_name || '/' || format.version, format.columns order by format.version)
        from pgtrail.entry_format as format
        where format.trail_name = registered.trail_name
            and format.version in (
                select content.version
                from pgtrail.batch_content as content
                where content.trail_name = format.trail_name and content.month = archive_header.month)
    )
    from pgtrail.log as head
    cross join pgtrail.trail as registered
    where head.log_id = 1 and registered.trail_name = v_trail_name;
end;
$$;

revoke all on function pgtrail.archive_header from public, anon, authenticated, service_role;
grant execute on function pgtrail.archive_header to pgtrail_auditor;
comment on function pgtrail.archive_header is
    'Returns what the header of an archive of a trail''s month (UTC, named by its first day) says: the origin of the '
    'log, the column with the time of the event, and the columns of the entries by format, {"<trail>/<version>": '
    '[...]}. Raises 22023.';

create or replace function pgtrail.has_erasures_since(trail regclass, month date, since timestamptz)
    returns boolean
    language plpgsql stable security definer
    set search_path = pg_catalog, pg_temp
    set timezone = 'UTC'
as $$
declare
    v_trail_name text := pgtrail.trail_name(has_erasures_since.trail);
begin
    perform pgtrail._require_month(has_erasures_since.month);
    return exists (
        select
        from pgtrail.erasure as erasure
        where erasure.trail_name = v_trail_name
            and erasure.commitment is not null
            and erasure.erased_at >= has_erasures_since.since
            and erasure.entry_id >= pgtrail.uuid7_floor(has_erasures_since.month::timestamptz)
            and erasure.entry_id < pgtrail.uuid7_floor(has_erasures_since.month + interval '1 month'));
end;
$$;

revoke all on function pgtrail.has_erasures_since from public, anon, authenticated, service_role;
grant execute on function pgtrail.has_erasures_since to pgtrail_auditor;
comment on function pgtrail.has_erasures_since is
    'Tells whether something of a trail''s month (UTC, named by its first day) was erased at or after a time. Raises '
    '22023.';

create or replace function pgtrail.record_archive(
    trail     regclass,
    month     date,
    entries   bigint,
    tree_size bigint,
    sha256    bytea,
    location  text
)
    returns void
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_trail text := pgtrail.trail_name(record_archive.trail);
    v_sealed bigint;
    v_tree_size bigint;
begin
    perform pgtrail._require_month(record_archive.month);
    if (octet_length(record_archive.sha256) = 32) is not true then
        raise exception 'the digest of an archive has 32 bytes'
            using errcode = 'invalid_parameter_value',
                  detail = format('got %s', coalesce(octet_length(record_archive.sha256)::text, 'null')),
                  hint = 'Send the SHA-256 of the file.';
    elsif coalesce(record_archive.location, '') = '' then
        raise exception 'an archive needs a location'
            using errcode = 'invalid_parameter_value',
                  hint = 'Say where the file is.';
    end if;

    -- The lock of the sealer and of purges: what is counted stays as it is.
    select head.tree_size into strict v_tree_size from pgtrail.log as head where head.log_id = 1 for update;
    perform pgtrail._require_tree_size(record_archive.tree_size, v_tree_size);
    v_sealed := pgtrail._sealed_entry_count(v_trail, record_archive.month);
    if (record_archive.entries > 0 and record_archive.entries = v_sealed) is not true then
        raise exception 'an archive has the entries that the log has, no more and no less'
            using errcode = 'invalid_parameter_value',
                  detail = format('got %s, the log has %s of %s', coalesce(record_archive.entries::text, 'null'),
                                  v_sealed, to_char(record_archive.month, 'YYYY-MM')),
                  hint = 'Archive the month again.';
    end if;

    insert into pgtrail.archive as kept (trail_name, month, entries, tree_size, sha256, location)
    values (
        v_trail, record_archive.month, record_archive.entries, record_archive.tree_size, record_archive.sha256,
        record_archive.location)
    on conflict on constraint archive_pkey do update
    set entries = excluded.entries,
        tree_size = excluded.tree_size,
        sha256 = excluded.sha256,
        location = excluded.location,
        archived_at = clock_timestamp();

    perform pgtrail._record_act('archive.recorded', null, jsonb_build_object(
        'trail', v_trail, 'month', record_archive.month, 'entries', record_archive.entries,
        'tree_size', record_archive.tree_size, 'sha256', encode(record_archive.sha256, 'hex'),
        'location', record_archive.location));
end;
$$;

revoke all on function pgtrail.record_archive from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail.record_archive is
    'Notes that a trail''s month was archived in a file, which was verified against the tree of tree_size: from then '
    'on retention may drop the month. sha256 is the digest of the file. Once more takes the place of the first. '
    'Audited, so that the log has the digest. Raises 22023, also when entries is not what the log has.';

create or replace function pgtrail.sealed_entries(month date)
    returns table (trail_name text, entries bigint)
    language plpgsql stable security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    perform pgtrail._require_month(sealed_entries.month);
    return query
    select counted.trail_name, counted.entries
    from (
        select registered.trail_name,
            pgtrail._sealed_entry_count(registered.trail_name, sealed_entries.month) as entries
        from pgtrail.trail as registered
    ) as counted
    where counted.entries > 0
    order by counted.trail_name;
end;
$$;

revoke all on function pgtrail.sealed_entries from public, anon, authenticated, service_role;
grant execute on function pgtrail.sealed_entries to pgtrail_auditor;
comment on function pgtrail.sealed_entries is
    'Returns how many entries the log has of a month (UTC, named by its first day), by trail, without those that a '
    'retention policy removed. Raises 22023.';

create or replace function pgtrail._attach_capture(tracked pgtrail.tracked_table)
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_relation regclass := (_attach_capture.tracked).relation;
    v_level text := (_attach_capture.tracked).level;
    v_function text := pgtrail._make_capture(_attach_capture.tracked);
    v_operation text;
begin
    -- A row that an update leaves as it is does not wake the trigger. On 18, no condition may look at virtual columns.
    foreach v_operation in array array['insert', 'update', 'delete', 'truncate'] loop
        execute format(
            'create or replace trigger %I after %s on %s %s execute function %s()',
            'pgtrail_capture_' || v_operation, v_operation, v_relation,
            case
                when v_operation = 'truncate' then 'for each statement'
                when v_level = 'statement' then case v_operation
                    when 'insert' then 'referencing new table as new_rows'
                    when 'update' then 'referencing old table as old_rows new table as new_rows'
                    else 'referencing old table as old_rows' end || ' for each statement'
                when v_operation = 'update' and not exists (
                    select from pg_catalog.pg_attribute as attribute
                    where attribute.attrelid = v_relation and attribute.attgenerated = 'v')
                    then 'for each row when (old.* operator(pg_catalog.*<>) new.*)'
                else 'for each row'
            end,
            v_function);
    end loop;
end;
$$;

revoke all on function pgtrail._attach_capture from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._attach_capture is 'Gives a table the trigger function and the triggers that capture it.';

-- After the statement, from its transition tables: measured, a row of a bulk change then costs a third or less of what
-- it costs after the row, because the executor is started once and not for each entry. A statement of one row, which
-- most are, is captured by expressions instead of a query over them, which takes more time to set up than to run.
-- Static SQL, planned once a session.
create or replace function pgtrail._capture_body(tracked pgtrail.tracked_table)
    returns text
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    c_insert constant text :=
        'insert into public.audit_log (id, organisation_id, actor_id, actor_kind, impersonator_id, database_role, '
        'action, entity_type, entity_id, changes, details, ip_address, user_agent, request_id, trace_id) ';
    c_operations constant text :=
        'case tg_op when ''UPDATE'' then array[''REKEYED FROM'', ''UPDATE'', ''REKEYED TO''] else array[tg_op] end';
    c_row constant text := $row$
                v_way := 'row';
                v_organisation := %1$s;
                v_key := %2$s;
                v_changes := %3$s;$row$;
    v_tracked pgtrail.tracked_table := _capture_body.tracked;
    v_class pg_catalog.pg_class;
    v_names text;
    v_types text;
    v_old_key text := pgtrail._key_expression(v_tracked.relation, 'old');
    v_new_key text := pgtrail._key_expression(v_tracked.relation, 'new');
    v_altered text;
    v_read text;
    v_set text;
    v_using text := case v_tracked.level when 'row' then ' using old, new' else '' end;
begin
    select class.* into strict v_class from pg_catalog.pg_class as class where class.oid = v_tracked.relation;

    -- Names, and types as far as pgtrail_owner may name them. That is all that expressions depend on.
    select coalesce(string_agg(format('%%1$s.%s', part.name), ', ' order by attribute.attnum), ''),
        coalesce(string_agg(
            format('coalesce(%%1$s.%s, null::%s)', part.name, format_type(attribute.atttypid, attribute.atttypmod)),
            ', ' order by attribute.attnum) filter (where type.typnamespace = 'pg_catalog'::regnamespace), '')
    into v_names, v_types
    from pg_catalog.pg_attribute as attribute
    cross join lateral (select replace(quote_ident(attribute.attname), '%', '%%') as name) as part
    join pg_catalog.pg_type as type on type.oid = attribute.atttypid
    where attribute.attrelid = v_tracked.relation and attribute.attnum > 0 and not attribute.attisdropped
        and attribute.attgenerated <> 'v';

    if v_tracked.level = 'row' then
        v_read := 'perform ' || concat_ws(', ', nullif(v_names, ''), nullif(v_types, '')) || ' where false;';
    else
        -- The types are looked at when the query is parsed, and again when the table was altered, but not when it runs.
        v_read := 'select ' || v_names || ' into strict %1$s from %1$s_rows as %1$s where true or row(' || v_types
            || ') is null;';
        v_set := format(
            $set$
    if v_way = 'set' and tg_op = 'UPDATE' then
        begin
            if (select array_agg(%1$s) from old_rows as old) <> (select array_agg(%2$s) from new_rows as new) then
                v_way := 'generic';
            end if;
        exception
            -- More keys than an array takes, for instance.
            when others then
                v_way := 'generic';
        end;
    end if;$set$,
            -- Both transition tables have the rows of an update in the same order.
            v_old_key, v_new_key);
    end if;

    v_altered := case
        when v_class.relkind = 'p' or v_class.relispartition then format(
            '(select class.relnatts from pgtrail.tracked_table as known '
            'join pg_catalog.pg_class as class on class.oid = known.relation where known.entity_type = %L) <> %s',
            v_tracked.entity_type, v_class.relnatts)
        -- Knows dropped columns, too, and looks in a cache only.
        else format('pg_describe_object(''pg_class''::regclass, tg_relid, %s) is not null', v_class.relnatts + 1)
    end;

    return format(
        $body$
#variable_conflict use_column
declare
    v_way text := 'set';
    v_operation text;
    v_context record;
    v_organisation uuid;
    v_key text;
    v_changes jsonb;
begin
    if tg_op <> 'TRUNCATE' then
        begin
            if %1$s then
                raise undefined_column;
            end if;
            if tg_op = 'INSERT' then
                %2$s%3$s
            elsif tg_op = 'DELETE' then
                %4$s%5$s
            else
                %2$s
                %4$s%6$s
                if %7$s is distinct from v_key then
                    v_way := 'generic';
                elsif v_changes = '{}' then
                    return null;
                end if;
            end if;
        exception
            when others then
                -- No row (no_data_found), or several (too_many_rows), unless a cast of a column raised it.
                if v_way = 'set' and sqlstate = 'P0002' then
                    return null;
                -- The table was altered since: it is captured as it is now. refresh_tracking() makes that fast again.
                elsif v_way = 'row' or sqlstate <> 'P0003' then
                    v_way := 'generic';
                end if;
        end;
    end if;%8$s
    %9$sif v_way = 'row' then
        v_context := pgtrail._change_context();
        %10$s
        values (
            pgtrail.uuid7(), coalesce(v_organisation, '00000000-0000-0000-0000-000000000000'),
            v_context.actor_id, v_context.actor_kind, v_context.impersonator_id, v_context.database_role,
            %11$L || case tg_op when 'INSERT' then '.inserted' when 'UPDATE' then '.updated' else '.deleted' end,
            %12$L, case when octet_length(v_key) > 500 then pgtrail._entity_id(v_key) else v_key end,
            case when pg_column_size(v_changes) > 65000 then pgtrail._shortened_changes(v_changes) else v_changes end,
            v_context.details, v_context.ip_address, v_context.user_agent, v_context.request_id, v_context.trace_id);
    elsif v_way = 'generic' then
        foreach v_operation in array %13$s loop
            execute %10$L || pgtrail._current_capture_query(%12$L, v_operation)%17$s;
        end loop;
    %14$selse
        %10$s%15$s;
    end if;%16$s
    return null;
end;$body$,
        v_altered,
        format(v_read, 'new'),
        format(c_row, pgtrail._organisation_expression(v_tracked, 'new'), v_new_key,
               pgtrail._changes_expression(v_tracked, 'INSERT')),
        format(v_read, 'old'),
        format(c_row, pgtrail._organisation_expression(v_tracked, 'old'), v_old_key,
               pgtrail._changes_expression(v_tracked, 'DELETE')),
        format(c_row, pgtrail._organisation_expression(v_tracked, 'new'), v_new_key,
               pgtrail._changes_expression(v_tracked, 'UPDATE')),
        v_old_key,
        v_set,
        case v_tracked.on_failure when 'warn' then E'begin\n    ' else '' end,
        c_insert,
        v_class.relname,
        v_tracked.entity_type,
        -- All old keys before all new ones: a statement may hand the key of one row on to another.
        c_operations,
        case when v_tracked.level = 'statement' then (
            select string_agg(
                format('elsif tg_op = %L then %s%s; ', part.operation, c_insert,
                       pgtrail._capture_query(v_tracked, part.operation)), '' order by part.place)
            from unnest(array['INSERT', 'UPDATE', 'DELETE']) with ordinality as part (operation, place)) else '' end,
        pgtrail._capture_query(v_tracked, 'TRUNCATE'),
        case v_tracked.on_failure when 'warn' then format(
            $warn$
    exception
        when others then
            declare
                v_state text := sqlstate;
                v_message text := sqlerrm;
                v_some jsonb;
                v_entries jsonb := '[]';
            begin
                foreach v_operation in array %4$s loop
                    execute %2$L || pgtrail._current_capture_query(%1$L, v_operation) || %3$L into v_some%5$s;
                    v_entries := v_entries || v_some;
                end loop;
                perform pgtrail._keep_failed_writes(%1$L, v_entries, v_state, v_message);
            end;
    end;$warn$,
            v_tracked.entity_type,
            'select coalesce(jsonb_agg(to_jsonb(entry) order by entry.id), ''[]'') from (', ') as entry',
            c_operations,
            v_using)
        else '' end,
        v_using);
end;
$$;

revoke all on function pgtrail._capture_body from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._capture_body is 'Returns the body of the trigger function that captures a table.';

-- Both transition tables of an update have its rows in the same order, so their numbers pair them, whatever happens to
-- the primary key. uuid7() is volatile, and there is an offset: both keep the planner from evaluating a diff once for
-- each place it is used in.
create or replace function pgtrail._capture_query(tracked pgtrail.tracked_table, operation text)
    returns text
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    c_query constant text := $query$
        select change.id, coalesce(change.organisation_id, '00000000-0000-0000-0000-000000000000') as organisation_id,
            context.actor_id, context.actor_kind, context.impersonator_id, context.database_role,
            change.action, %1$L as entity_type,
            case when octet_length(change.key) > 500
                then pgtrail._entity_id(change.key) else change.key end as entity_id,
            case when pg_column_size(change.changes) > 65000
                then pgtrail._shortened_changes(change.changes) else change.changes end as changes,
            context.details || change.details as details,
            context.ip_address, context.user_agent, context.request_id, context.trace_id
        from pgtrail._change_context() as context
        cross join (%2$s) as change$query$;
    c_change constant text :=
        'select pgtrail.uuid7() as id, %s as organisation_id, %s as action, %s as key, %s as changes, %s as details%s';
    v_relation regclass := (_capture_query.tracked).relation;
    v_table name := (select class.relname from pg_catalog.pg_class as class where class.oid = v_relation);
    v_old_key text := pgtrail._key_expression(v_relation, 'old');
    v_new_key text := pgtrail._key_expression(v_relation, 'new');
    v_old_organisation text := pgtrail._organisation_expression(_capture_query.tracked, 'old');
    v_new_organisation text := pgtrail._organisation_expression(_capture_query.tracked, 'new');
    v_rekeyed text;
    v_inserted text := pgtrail._changes_expression(_capture_query.tracked, 'INSERT');
    v_deleted text := pgtrail._changes_expression(_capture_query.tracked, 'DELETE');
    v_updated text := pgtrail._changes_expression(_capture_query.tracked, 'UPDATE');
    v_old text;
    v_new text;
    v_both text;
begin
    if _capture_query.operation = 'TRUNCATE' then
        return format(c_query, (_capture_query.tracked).entity_type, format(
            c_change, 'null::uuid', quote_literal(v_table || '.truncated'), 'null::text', 'null::jsonb',
            '''{}''::jsonb', ''));
    end if;

    v_rekeyed := case when v_old_key = 'null::text' then 'false'
        else v_old_key || ' is distinct from ' || v_new_key end;

    if (_capture_query.tracked).level = 'row' then
        v_old := ' from (select ($1).*) as old';
        v_new := ' from (select ($2).*) as new';
        v_both := v_old || ' cross join (select ($2).*) as new';
    else
        v_old := ' from old_rows as old';
        v_new := ' from new_rows as new';
        v_both := ' from (select row_number() over () as "pgtrail number", * from old_rows) as old'
            ' join (select row_number() over () as "pgtrail number", * from new_rows) as new using ("pgtrail number")';
    end if;

    return format(c_query, (_capture_query.tracked).entity_type, case _capture_query.operation
        when 'INSERT' then format(
            c_change, v_new_organisation, quote_literal(v_table || '.inserted'), v_new_key, v_inserted,
            '''{}''::jsonb', v_new)
        when 'DELETE' then format(
            c_change, v_old_organisation, quote_literal(v_table || '.deleted'), v_old_key, v_deleted,
            '''{}''::jsonb', v_old)
        when 'UPDATE' then format(
            'select diff.* from (' || c_change || ') as diff where diff.changes <> ''{}''',
            v_new_organisation, quote_literal(v_table || '.updated'), v_new_key, v_updated,
            '''{}''::jsonb', v_both || ' where not (' || v_rekeyed || ') offset 0')
        when 'REKEYED FROM' then format(
            c_change, v_old_organisation, quote_literal(v_table || '.rekeyed_from'),
            v_old_key, v_deleted, format('jsonb_build_object(''new_key'', %s)', v_new_key),
            v_both || ' where ' || v_rekeyed)
        when 'REKEYED TO' then format(
            c_change, v_new_organisation, quote_literal(v_table || '.rekeyed_to'),
            v_new_key, v_inserted, format('jsonb_build_object(''old_key'', %s)', v_old_key),
            v_both || ' where ' || v_rekeyed)
    end);
end;
$$;

revoke all on function pgtrail._capture_query from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._capture_query is
    'Returns the SELECT of the entries that an INSERT, UPDATE, DELETE or TRUNCATE of a table makes, of an UPDATE for '
    'rows that keep their key, and, as REKEYED FROM and REKEYED TO, for those that do not; for its trigger '
    'function: with level statement from old_rows and new_rows, with level row from the rows $1 and $2.';

create or replace function pgtrail._capture_shape(relation regclass)
    returns text
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
begin
    return (
        select (
            -- A new version of pgtrail may make them otherwise.
            select md5(string_agg(maker.prosrc, '' order by maker.proname))
            from pg_catalog.pg_proc as maker
            where maker.pronamespace = 'pgtrail'::regnamespace
                and maker.proname in (
                    '_make_capture', '_capture_body', '_capture_query', '_changes_expression', '_key_expression',
                    '_organisation_expression', '_value_expression')
        ) || ' ' || _capture_shape.relation::text || ' ' || coalesce(string_agg(
            format(
                '%s %I %s', attribute.attnum, attribute.attname,
                format_type(attribute.atttypid, attribute.atttypmod)),
            ', ' order by attribute.attnum), '')
            || coalesce(' key ' || (
                select key.indkey::text
                from pg_catalog.pg_index as key
                where key.indrelid = _capture_shape.relation and key.indisprimary), '')
        from pg_catalog.pg_attribute as attribute
        where attribute.attrelid = _capture_shape.relation and attribute.attnum > 0 and not attribute.attisdropped
    );
end;
$$;

revoke all on function pgtrail._capture_shape from public, anon, authenticated, service_role;
grant execute on function pgtrail._capture_shape to pgtrail_auditor;
comment on function pgtrail._capture_shape is
    'Returns what captures of a table depend on, as text: the functions that make its trigger function, its name, its '
    'columns with their types, and its primary key.';

-- Claims count as verified only in a session of PostgREST's login role: whoever logs in by themselves could set them.
-- Each expression is set up anew in every transaction, and each assignment is one: what is not there is not asked for.
create or replace function pgtrail._change_context(
    out actor_id text,
    out actor_kind text,
    out impersonator_id text,
    out database_role text,
    out details jsonb,
    out ip_address inet,
    out user_agent text,
    out request_id text,
    out trace_id text
)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_claims jsonb;
    v_headers jsonb;
    v_context jsonb;
begin
    -- What is no JSON says nothing, and must not keep the change from happening.
    begin
        v_claims := nullif(current_setting('request.jwt.claims', true), '')::jsonb;
        v_headers := nullif(current_setting('request.headers', true), '')::jsonb;
        v_context := nullif(current_setting('pgtrail.context', true), '')::jsonb;
    exception
        when data_exception then null;
    end;
    -- Here, current_user is the owner of the trigger function.
    database_role := coalesce(nullif(current_setting('role'), 'none'), session_user);
    ip_address := inet_client_addr();
    details := jsonb_build_object('actor_source', 'session', 'session_user', session_user);
    if current_setting('application_name') <> '' then
        details := details || jsonb_build_object('application_name', current_setting('application_name'));
    end if;

    if v_headers is not null then
        request_id := left(v_headers ->> 'x-request-id', 200);
        trace_id := substring(v_headers ->> 'traceparent' from '^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}');
        user_agent := left(v_headers ->> 'user-agent', 1000);
        details := details || jsonb_strip_nulls(jsonb_build_object(
            'forwarded_for', left(v_headers ->> 'x-forwarded-for', 500)));
    end if;
    -- Whoever sets it without set_context() only loses it.
    if jsonb_typeof(v_context) = 'object' and pg_column_size(v_context) <= 4096 then
        request_id := coalesce(left(v_context ->> 'request_id', 200), request_id);
        trace_id := coalesce(left(v_context ->> 'trace_id', 200), trace_id);
        details := details || jsonb_strip_nulls(jsonb_build_object(
            'context', nullif(v_context - '{request_id,trace_id}'::text[], '{}'::jsonb)));
    else
        v_context := null;
    end if;

    if v_claims is not null and session_user = 'authenticator' then
        details := details || '{"actor_source": "claims"}';
        actor_kind := 'service';
        actor_id := left(nullif(v_claims ->> 'sub', ''), 255);
        if actor_id is not null then
            impersonator_id := left(v_claims #>> '{act,sub}', 255);
            actor_kind := case when impersonator_id is null then 'user' else 'impersonated' end;
        end if;
        return;
    end if;
    actor_kind := 'system';
    actor_id := session_user::text;
    if nullif(v_context ->> 'actor_id', '') is not null then
        -- An application's word for it: the actor is named, and the kind says that a service named it.
        details := details || '{"actor_source": "context"}';
        actor_kind := 'service';
        actor_id := left(v_context ->> 'actor_id', 255);
    end if;
    if v_claims is not null then
        details := details || jsonb_strip_nulls(jsonb_build_object(
            'unverified_sub', left(v_claims ->> 'sub', 255)));
    end if;
end;
$$;

revoke all on function pgtrail._change_context from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._change_context is
    'Returns who makes a change, as far as the session tells, as columns of an entry. actor_source in details is '
    'claims (the sub of a token that PostgREST verified; kind user, or impersonated with "act" of RFC 8693), context '
    '(what pgtrail.set_context() was told; kind service) or session (the login role; kind system).';

-- Values are compared by their bytes: a change of case that a collation calls equal is a change. IS NOT DISTINCT FROM
-- NULL, because a composite value of NULLs alone IS NULL. Columns that are never NULL go into one object, of as many as
-- a function takes arguments for; should the constraint go, NULL is null there. Objects are put together in groups,
-- since each || copies what there is so far.
create or replace function pgtrail._changes_expression(tracked pgtrail.tracked_table, operation text)
    returns text
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_version text := case _changes_expression.operation when 'DELETE' then 'old' else 'new' end;
    v_groups text[];
begin
    with part as (
        select attribute.attnum, attribute.attname as name,
            attribute.attname = any ((_changes_expression.tracked).redacted) as redacted,
            attribute.attnotnull as required,
            coalesce(nullif(type.typbasetype, 0), type.oid) in ('json'::regtype, 'jsonb'::regtype) as is_json,
            pgtrail._value_expression(type.oid, format('old.%I', attribute.attname)) as old_value,
            pgtrail._value_expression(type.oid, format('new.%I', attribute.attname)) as new_value
        from pg_catalog.pg_attribute as attribute
        join pg_catalog.pg_type as type on type.oid = attribute.atttypid
        where attribute.attrelid = (_changes_expression.tracked).relation
            and attribute.attnum > 0
            and not attribute.attisdropped
            and attribute.attgenerated <> 'v'
            and attribute.attname <> all ((_changes_expression.tracked).excluded)
    ), side as (
        select part.attnum, part.name, part.required and not part.is_json as required,
            case when part.redacted then 'jsonb_build_object(''redacted'', true)'
                else format(
                    'jsonb_build_object(%L, %s)', v_version,
                    case v_version when 'old' then part.old_value else part.new_value end)
            end as value
        from part
    ), change as (
        select part.attnum, format(
            'case when row(old.%1$I)::record operator(pg_catalog.*<>) row(new.%1$I)::record '
            'then jsonb_build_object(%1$L, %2$s) else ''{}'' end',
            part.name,
            case
                when part.redacted then 'jsonb_build_object(''redacted'', true)'
                -- A side that is absent is NULL; null is the null of JSON.
                when part.is_json then format(
                    'case when old.%1$I is null then ''{}'' else jsonb_build_object(''old'', %2$s) end '
                    '|| case when new.%1$I is null then ''{}'' else jsonb_build_object(''new'', %3$s) end',
                    part.name, part.old_value, part.new_value)
                else format('jsonb_build_object(''old'', %s, ''new'', %s)', part.old_value, part.new_value)
            end) as expression
        from part
    ), expression as (
        select change.attnum, change.expression
        from change
        where _changes_expression.operation = 'UPDATE'
        union all
        select min(numbered.attnum), format(
            'jsonb_build_object(%s)',
            string_agg(format('%L, %s', numbered.name, numbered.value), ', ' order by numbered.attnum))
        from (
            select side.*, row_number() over (order by side.attnum) as number from side where side.required
        ) as numbered
        where _changes_expression.operation <> 'UPDATE'
        group by numbered.number / 50
        union all
        select side.attnum, format(
            'case when %s.%I is not distinct from null then ''{}'' else jsonb_build_object(%L, %s) end',
            v_version, side.name, side.name, side.value)
        from side
        where _changes_expression.operation <> 'UPDATE' and not side.required
    )
    select array_agg(joined.expression order by joined.place) into v_groups
    from (
        select min(numbered.number) as place,
            '(' || string_agg(numbered.expression, ' || ' order by numbered.number) || ')' as expression
        from (
            select expression.expression, row_number() over (order by expression.attnum) as number from expression
        ) as numbered
        group by numbered.number / 16
    ) as joined;
    return coalesce('(' || array_to_string(v_groups, ' || ') || ')', '''{}''::jsonb');
end;
$$;

revoke all on function pgtrail._changes_expression from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._changes_expression is
    'Returns the SQL expression of what an INSERT, UPDATE or DELETE changes, {"column": {"old", "new"}}, of the rows '
    'old and new.';

create or replace function pgtrail._current_capture_query(entity_type text, operation text)
    returns text
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
begin
    return (
        select pgtrail._capture_query(known, _current_capture_query.operation)
        from pgtrail.tracked_table as known where known.entity_type = _current_capture_query.entity_type);
end;
$$;

revoke all on function pgtrail._current_capture_query from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._current_capture_query is
    'Returns what pgtrail._capture_query() does for a table as it is now, by its entity_type.';

-- Definer: the trigger function belongs to pgtrail_owner.
create or replace function pgtrail._drop_capture(entity_type text)
    returns void
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    execute format(
        'drop function if exists pgtrail.%I()', 'tg_' || left(md5(_drop_capture.entity_type), 12) || '__capture');
    delete from pgtrail.tracked_table as known where known.entity_type = _drop_capture.entity_type;
    perform pgtrail._record_act('table.untracked', null, jsonb_build_object('table', _drop_capture.entity_type));
end;
$$;

revoke all on function pgtrail._drop_capture from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._drop_capture is 'Removes the trigger function of a table that is tracked no longer.';

create or replace function pgtrail._entity_id(key text)
    returns text
    language plpgsql immutable parallel safe
    set search_path = pg_catalog, pg_temp
as $$
begin
    return case
        when char_length(_entity_id.key) > 500
            then 'sha256:' || encode(sha256(convert_to(_entity_id.key, 'UTF8')), 'hex')
        else _entity_id.key
    end;
end;
$$;

revoke all on function pgtrail._entity_id from public, anon, authenticated, service_role, pgtrail_auditor;
grant execute on function pgtrail._entity_id to service_role, pgtrail_auditor;
comment on function pgtrail._entity_id is
    'Returns the entity_id of a primary key: the key, or, of more than 500 characters, sha256: and the hash of its '
    'UTF-8 text in hex.';

create or replace function pgtrail._keep_failed_writes(entity_type text, entries jsonb, sqlstate text, message text)
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_detail jsonb := jsonb_build_object(
        'type', 'audit_write_failed', 'entityType', _keep_failed_writes.entity_type,
        'entries', jsonb_array_length(_keep_failed_writes.entries),
        'eventIds', jsonb_path_query_array(_keep_failed_writes.entries, '$[0 to 9].id'),
        'error', _keep_failed_writes.message, 'code', _keep_failed_writes.sqlstate);
    v_hint text := 'They are kept in pgtrail.failed_write: call pgtrail.replay_failed_writes().';
begin
    begin
        insert into pgtrail.failed_write (entry, sqlstate, message)
        select part.entry, _keep_failed_writes.sqlstate, _keep_failed_writes.message
        from jsonb_array_elements(_keep_failed_writes.entries) as part (entry);
    exception
        -- The server's log is the last place that is left.
        when others then
            v_detail := v_detail || jsonb_build_object('events', _keep_failed_writes.entries);
            v_hint := 'They are nowhere else: insert each of these events into pgtrail.failed_write as entry.';
    end;
    raise warning 'changes of % could not be recorded', _keep_failed_writes.entity_type
        using errcode = _keep_failed_writes.sqlstate, detail = v_detail, hint = v_hint;
end;
$$;

revoke all on function pgtrail._keep_failed_writes from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._keep_failed_writes is
    'Keeps entries (a JSON array) that could not be recorded in pgtrail.failed_write, with a WARNING whose DETAIL is '
    'JSON: entityType, entries (their number), eventIds (of the first 10), error and code. What failed_write cannot '
    'take either is in the DETAIL, as events.';

-- The generic path knows rows as JSON only: a key must be the same text either way. Where ::text is, it costs less.
create or replace function pgtrail._key_expression(relation regclass, version text)
    returns text
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_columns text[];
    v_plain boolean;
begin
    select array_agg(format('%s.%I', _key_expression.version, attribute.attname) order by part.place),
        bool_and(attribute.atttypid in (
            'int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'uuid'::regtype, 'text'::regtype, 'varchar'::regtype))
    into v_columns, v_plain
    from pg_catalog.pg_index as key
    cross join lateral unnest(key.indkey::int2[]) with ordinality as part (attnum, place)
    join pg_catalog.pg_attribute as attribute
        on attribute.attrelid = _key_expression.relation and attribute.attnum = part.attnum
    where key.indrelid = _key_expression.relation and key.indisprimary and part.place <= key.indnkeyatts;

    return case
        when v_columns is null then 'null::text'
        when cardinality(v_columns) > 1 then format('jsonb_build_array(%s)::text', array_to_string(v_columns, ', '))
        when v_plain then format('%s::text', v_columns[1])
        else format('to_jsonb(%s) #>> ''{}''', v_columns[1])
    end;
end;
$$;

revoke all on function pgtrail._key_expression from public, anon, authenticated, service_role, pgtrail_auditor;
grant execute on function pgtrail._key_expression to service_role, pgtrail_auditor;
comment on function pgtrail._key_expression is
    'Returns the SQL expression of the primary key of a version of a row (new, old) as text: of one column as it is, '
    'of several as a JSON array, without a key NULL.';

-- Definer: the trigger function must belong to pgtrail_owner, whoever owns the table.
create or replace function pgtrail._make_capture(tracked pgtrail.tracked_table)
    returns text
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_name text := format(
        'pgtrail.%I', 'tg_' || left(md5((_make_capture.tracked).entity_type), 12) || '__capture');
begin
    -- Keys and values must not depend on the settings of who writes. A plan made for a few rows must not pair millions
    -- of them by a nested loop, and compiling it to machine code takes hundreds of milliseconds for one row.
    execute format(
        'create or replace function %s() returns trigger language plpgsql security definer '
        'set search_path = pg_catalog, pg_temp set timezone = ''UTC'' set datestyle = ''ISO, YMD'' '
        'set intervalstyle = ''postgres'' set bytea_output = ''hex'' set extra_float_digits = 1 '
        'set enable_nestloop = off set jit = off as %L',
        v_name,
        pgtrail._capture_body(_make_capture.tracked));
    execute format(
        'revoke all on function %s() from public, anon, authenticated, service_role, pgtrail_auditor', v_name);
    execute format(
        'comment on function %s() is %L', v_name,
        format('Captures changes of %s. Made by pgtrail.track().', (_make_capture.tracked).entity_type));

    -- A table that was dropped and made again.
    delete from pgtrail.tracked_table as known
    where known.entity_type = (_make_capture.tracked).entity_type
        and not exists (select from pg_catalog.pg_class as class where class.oid = known.relation);
    insert into pgtrail.tracked_table (
        relation, entity_type, organisation_column, excluded, redacted, on_failure, level, shape)
    values (
        (_make_capture.tracked).relation, (_make_capture.tracked).entity_type,
        (_make_capture.tracked).organisation_column, (_make_capture.tracked).excluded,
        (_make_capture.tracked).redacted, (_make_capture.tracked).on_failure, (_make_capture.tracked).level,
        pgtrail._capture_shape((_make_capture.tracked).relation))
    on conflict on constraint tracked_table_pkey do update
    set organisation_column = excluded.organisation_column,
        excluded = excluded.excluded,
        redacted = excluded.redacted,
        on_failure = excluded.on_failure,
        level = excluded.level,
        shape = excluded.shape,
        tracked_at = clock_timestamp();
    return v_name;
end;
$$;

revoke all on function pgtrail._make_capture from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._make_capture is
    'Makes, or makes anew, the trigger function of a table and writes down what it was made for. Returns its name.';

create or replace function pgtrail._organisation_expression(tracked pgtrail.tracked_table, version text)
    returns text
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
begin
    return coalesce(
        (
            select format('%s.%I', _organisation_expression.version, attribute.attname)
            from pg_catalog.pg_attribute as attribute
            where attribute.attrelid = (_organisation_expression.tracked).relation
                and attribute.attname = (_organisation_expression.tracked).organisation_column
                and attribute.atttypid = 'uuid'::regtype
                and not attribute.attisdropped
        ),
        'null::uuid');
end;
$$;

revoke all on function pgtrail._organisation_expression from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._organisation_expression is
    'Returns the SQL expression of the tenant of a version of a row (new, old): NULL where the table names none.';

create or replace function pgtrail._shortened_changes(changes jsonb)
    returns jsonb
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_changes jsonb;
begin
    select jsonb_object_agg(part.column_name, (
        select jsonb_object_agg(side.name, case
            when octet_length(side.value::text) <= 200 then side.value
            else pgtrail._shortened_value(side.value #>> '{}') end)
        from jsonb_each(part.sides) as side (name, value)))
    into v_changes
    from jsonb_each(_shortened_changes.changes) as part (column_name, sides);
    return case
        when pg_column_size(v_changes) <= 65000 then v_changes
        else jsonb_build_object('*', pgtrail._shortened_value(_shortened_changes.changes::text))
    end;
end;
$$;

revoke all on function pgtrail._shortened_changes from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._shortened_changes is
    'Returns changes that take 64 KiB at most: values of more than 200 bytes are shortened, and where there are too '
    'many columns for that, all of it, under the name *.';

create or replace function pgtrail._shortened_value(value text)
    returns jsonb
    language plpgsql immutable strict parallel safe
    set search_path = pg_catalog, pg_temp
as $$
begin
    return jsonb_build_object(
        'cut', left(_shortened_value.value, 100),
        'bytes', octet_length(_shortened_value.value),
        'sha256', encode(sha256(convert_to(_shortened_value.value, 'UTF8')), 'hex'));
end;
$$;

revoke all on function pgtrail._shortened_value from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._shortened_value is
    'Returns what is captured of a value that is too long: {"cut": its first 100 characters, "bytes", "sha256": of its '
    'UTF-8 text, in hex}.';

create or replace function pgtrail._value_expression(type oid, value text)
    returns text
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_type pg_catalog.pg_type;
begin
    select base.* into strict v_type
    from pg_catalog.pg_type as own
    join pg_catalog.pg_type as base on base.oid = coalesce(nullif(own.typbasetype, 0), own.oid)
    where own.oid = _value_expression.type;

    return case
        when v_type.typlen > 0 then _value_expression.value
        when v_type.oid = 'bytea'::regtype then format(
            $expression$case when octet_length(%1$s) <= 4096 then to_jsonb('\x' || encode(%1$s, 'hex'))
                else pgtrail._shortened_value('\x' || encode(%1$s, 'hex')) end$expression$,
            _value_expression.value)
        else format(
            'case when octet_length(%1$s::text) <= 8192 then to_jsonb(%1$s) '
            'else pgtrail._shortened_value(%1$s::text) end',
            _value_expression.value)
    end;
end;
$$;

revoke all on function pgtrail._value_expression from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._value_expression is
    'Returns the SQL expression of a value of a type as jsonb_build_object() is to take it to be captured: as it is, '
    'bytea as hex, and what is longer than 8,192 bytes as text shortened.';

create or replace function pgtrail.refresh_tracking()
    returns int
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
    set jit = off
as $$
declare
    v_tracked pgtrail.tracked_table;
    v_refreshed int := 0;
begin
    for v_tracked in
        select known.*
        from pgtrail.tracked_table as known
        join pg_catalog.pg_class as class on class.oid = known.relation
        where known.shape is distinct from pgtrail._capture_shape(known.relation)
    loop
        perform pgtrail._make_capture(v_tracked);
        v_refreshed := v_refreshed + 1;
    end loop;
    return v_refreshed;
end;
$$;

revoke all on function pgtrail.refresh_tracking from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail.refresh_tracking is
    'Makes the trigger functions of tracked tables anew that were altered, and returns their number. Until then their '
    'changes are captured too, only slower. A table whose organisation_column is gone, or no uuid, belongs to the '
    'platform.';

create or replace function pgtrail.replay_failed_writes(max_entries int default 1000)
    returns int
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_failed record;
    v_state text;
    v_message text;
    v_replayed int := 0;
begin
    for v_failed in
        select failed.failed_write_id, failed.entry
        from pgtrail.failed_write as failed
        where failed.replayed_at is null
        order by failed.failed_write_id
        for update skip locked
    loop
        -- No LIMIT: those that fail again would use it up, call after call.
        exit when v_replayed >= replay_failed_writes.max_entries;
        begin
            insert into public.audit_log (
                id, organisation_id, actor_id, actor_kind, impersonator_id, database_role, action, entity_type,
                entity_id, changes, details, ip_address, user_agent, request_id, trace_id
            )
            select entry.id, entry.organisation_id, entry.actor_id, entry.actor_kind, entry.impersonator_id,
                entry.database_role, entry.action, entry.entity_type, entry.entity_id, entry.changes, entry.details,
                entry.ip_address, entry.user_agent, entry.request_id, entry.trace_id
            from jsonb_populate_record(null::public.audit_log, v_failed.entry) as entry
            on conflict (id) do nothing;
            update pgtrail.failed_write as failed
            set replayed_at = clock_timestamp()
            where failed.failed_write_id = v_failed.failed_write_id;
            v_replayed := v_replayed + 1;
        exception
            -- One that fails again is kept, with why, and does not keep the others waiting.
            when others then
                get stacked diagnostics v_state = returned_sqlstate, v_message = message_text;
                update pgtrail.failed_write as failed
                set sqlstate = v_state,
                    message = v_message
                where failed.failed_write_id = v_failed.failed_write_id;
        end;
    end loop;
    return v_replayed;
end;
$$;

revoke all on function pgtrail.replay_failed_writes from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail.replay_failed_writes is
    'Records what pgtrail.failed_write keeps, under the ids and so the times of the changes, and returns how many: at '
    'most max_entries. Those that fail again stay, with the error of the last time.';

-- Backwards from the row as it is: it may be older than its tracking. Invoker: it shows what the caller may read.
-- The settings are those under which changes are captured: see pgtrail._make_capture().
create or replace function pgtrail.row_at(target regclass, key text, at timestamptz)
    returns jsonb
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set jit = off set timezone = 'UTC' set datestyle = 'ISO, YMD' set intervalstyle = 'postgres'
    set bytea_output = 'hex' set extra_float_digits = 1
as $$
declare
    v_entity_type text;
    v_condition text;
    v_row jsonb;
    v_entry record;
begin
    select known.entity_type::text into v_entity_type
    from pgtrail.tracked_table as known where known.relation = row_at.target;
    -- By the columns, for the index, and by the text, which tells apart what a collation calls equal.
    select string_agg(format(
        'present.%I = (%s)::%s', attribute.attname,
        case when key.indnkeyatts = 1 then '$1' else format('$1::jsonb ->> %s', part.place - 1) end,
        format_type(attribute.atttypid, attribute.atttypmod)), ' and ' order by part.place)
        || format(' and %s = $1', pgtrail._key_expression(row_at.target, 'present'))
    into v_condition
    from pg_catalog.pg_index as key
    cross join lateral unnest(key.indkey::int2[]) with ordinality as part (attnum, place)
    join pg_catalog.pg_attribute as attribute
        on attribute.attrelid = row_at.target and attribute.attnum = part.attnum
    where key.indrelid = row_at.target and key.indisprimary and part.place <= key.indnkeyatts;
    if v_entity_type is null or v_condition is null then
        raise exception '% is not tracked, or has no primary key', coalesce(row_at.target::text, 'null')
            using errcode = 'invalid_parameter_value',
                  hint = 'pgtrail.tracked_table has the tables that are tracked.';
    end if;

    begin
        execute format('select to_jsonb(present) from %s as present where %s', row_at.target, v_condition)
        into v_row
        using row_at.key;
    exception
        -- No key of the table as it is now, though perhaps of a row that is gone.
        when data_exception then null;
    end;

    for v_entry in
        select entry.action, entry.changes
        from public.audit_log as entry
        where entry.entity_type = v_entity_type
            and entry.entity_id = pgtrail._entity_id(row_at.key)
            and entry.id >= pgtrail.uuid7_floor(date_trunc('milliseconds', row_at.at))
            -- To the microsecond, which the id holds.
            and substr(uuid_send(entry.id), 1, 8) > substr(uuid_send(pgtrail.uuid7(row_at.at)), 1, 8)
        order by entry.id desc
    loop
        if v_entry.action like '%.inserted' or v_entry.action like '%.rekeyed_to' then
            v_row := null;
        else
            -- A column that was NULL has no old side.
            select coalesce(v_row, '{}'::jsonb) || coalesce(
                jsonb_object_agg(change.column_name, coalesce(change.sides -> 'old', 'null')), '{}'::jsonb)
            into v_row
            from jsonb_each(v_entry.changes) as change (column_name, sides);
        end if;
    end loop;
    return v_row;
end;
$$;

revoke all on function pgtrail.row_at from public, anon, authenticated;
grant execute on function pgtrail.row_at to service_role, pgtrail_auditor;
comment on function pgtrail.row_at is
    'Returns a row of a tracked table as it was, as JSON, or null when there was none with that key (entity_id). '
    'Columns that are not captured are as they are now, or missing; redacted values are null, long ones shortened. '
    'After a TRUNCATE, rows from before it cannot be told. Raises 22023.';

create or replace function pgtrail.set_context(context jsonb)
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
begin
    if (jsonb_typeof(set_context.context) = 'object' and pg_column_size(set_context.context) <= 4096) is not true then
        raise exception 'context must be a JSON object of at most 4 KiB'
            using errcode = 'invalid_parameter_value',
                  detail = format('got %s', coalesce(jsonb_typeof(set_context.context), 'null')),
                  hint = 'Such as {"actor_id": "...", "request_id": "...", "trace_id": "...", "reason": "..."}.';
    end if;
    perform set_config('pgtrail.context', set_context.context::text, true);
end;
$$;

revoke all on function pgtrail.set_context from public, anon;
grant execute on function pgtrail.set_context to authenticated, service_role, pgtrail_auditor;
comment on function pgtrail.set_context is
    'Says, until the end of the transaction, in whose name changes are made: actor_id, request_id, trace_id and '
    'anything else worth keeping. It is an application''s word: captured with actor_kind service and actor_source '
    'context, and ignored as an actor where PostgREST verified a token. Raises 22023.';

-- Definer: whoever may alter a table need not be able to make functions of pgtrail_owner.
create or replace function pgtrail.tg__refresh_tracking()
    returns event_trigger
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_state text;
    v_message text;
begin
    if exists (
        select
        from pg_event_trigger_ddl_commands() as command
        join pgtrail.tracked_table as known on known.relation = command.objid
        where command.classid = 'pg_class'::regclass
    ) then
        perform pgtrail.refresh_tracking();
    end if;
exception
    -- A table that is altered is captured all the same, and health() tells: no reason to refuse the ALTER TABLE.
    when others then
        get stacked diagnostics v_state = returned_sqlstate, v_message = message_text;
        raise warning 'tracking could not be refreshed'
            using errcode = v_state,
                  detail = v_message,
                  hint = 'Changes are captured, only slower. Call pgtrail.refresh_tracking().';
end;
$$;

revoke all on function pgtrail.tg__refresh_tracking from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail.tg__refresh_tracking is
    'Calls pgtrail.refresh_tracking() when a tracked table was altered. Never fails the ALTER TABLE.';

-- Invoker: only who owns a table may give it triggers.
create or replace function pgtrail.track(
    target              regclass,
    organisation_column name default null,
    exclude             name[] default '{}',
    redact              name[] default '{}',
    on_failure          text default 'block',
    level               text default null
)
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
    set jit = off set client_min_messages = warning
as $$
declare
    v_class pg_catalog.pg_class;
    v_tracked pgtrail.tracked_table;
    v_schema name;
    v_unknown name;
    v_partition bool;
begin
    select class.* into v_class from pg_catalog.pg_class as class where class.oid = track.target;
    v_partition := v_class.relkind = 'p' or v_class.relispartition;
    select namespace.nspname into v_schema
    from pg_catalog.pg_namespace as namespace where namespace.oid = v_class.relnamespace;
    select named.name into v_unknown
    from unnest(track.exclude || track.redact || track.organisation_column) as named (name)
    where named.name is not null and not exists (
        select from pg_catalog.pg_attribute as attribute
        where attribute.attrelid = track.target and attribute.attname = named.name
            and attribute.attnum > 0 and not attribute.attisdropped);

    if v_class.relkind not in ('r', 'p') or v_class.relpersistence = 't'
        or v_schema in ('pgtrail', 'pgtrail_partitions', 'pg_catalog')
        or exists (select from pgtrail.trail as registered where registered.relation = track.target)
    then
        raise exception '% cannot be tracked', coalesce(track.target::text, 'null')
            using errcode = 'invalid_parameter_value',
                  hint = 'Tables can, partitioned or not: no views, temporary tables, trails, or tables of pgtrail.';
    elsif to_regclass('public.audit_log') is null then
        raise exception 'changes are captured into audit_log, which is not installed'
            using errcode = 'object_not_in_prerequisite_state',
                  hint = 'Apply the migrations of the layer audit_log first.';
    elsif v_class.oid is null then
        raise exception 'target is required'
            using errcode = 'invalid_parameter_value', hint = 'Name a table.';
    elsif v_unknown is not null then
        raise exception '% has no column %', track.target, v_unknown
            using errcode = 'invalid_parameter_value',
                  hint = 'organisation_column, exclude and redact name columns of the table.';
    elsif track.organisation_column is not null and not exists (
        select from pg_catalog.pg_attribute as attribute
        where attribute.attrelid = track.target and attribute.attname = track.organisation_column
            and attribute.atttypid = 'uuid'::regtype)
    then
        raise exception 'organisation_column must be of type uuid'
            using errcode = 'invalid_parameter_value',
                  detail = format('got %s', track.organisation_column),
                  hint = 'Leave it out for tables that belong to no tenant.';
    elsif (track.on_failure in ('block', 'warn')) is not true then
        raise exception 'on_failure must be block or warn'
            using errcode = 'invalid_parameter_value',
                  detail = format('got %s', coalesce(track.on_failure, 'null')),
                  hint = 'block: what cannot be recorded does not happen. warn: it goes to pgtrail.failed_write.';
    elsif track.level not in ('statement', 'row') or (track.level = 'statement' and v_partition) then
        raise exception 'level must be statement or row, and row for partitions'
            using errcode = 'invalid_parameter_value',
                  detail = format('got %s', track.level),
                  hint = 'Leave it out. row is for tables that logical replication writes to.';
    end if;

    select known.* into v_tracked from pgtrail.tracked_table as known where known.relation = track.target;
    v_tracked.relation := track.target;
    v_tracked.entity_type := coalesce(v_tracked.entity_type, format('%s.%s', v_schema, v_class.relname));
    v_tracked.organisation_column := track.organisation_column;
    v_tracked.excluded := coalesce(track.exclude, '{}'::name[]);
    v_tracked.redacted := coalesce(track.redact, '{}'::name[]);
    v_tracked.on_failure := track.on_failure;
    v_tracked.level := coalesce(track.level, case when v_partition then 'row' else 'statement' end);
    perform pgtrail._attach_capture(v_tracked);
    perform pgtrail._record_act('table.tracked', null, jsonb_build_object(
        'table', v_tracked.entity_type, 'organisation_column', track.organisation_column,
        'exclude', track.exclude, 'redact', track.redact, 'on_failure', track.on_failure,
        'level', v_tracked.level));
end;
$$;

revoke all on function pgtrail.track from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail.track is
    'Captures every change of a table into audit_log, in the transaction of the change: <table>.inserted, updated, '
    'deleted and truncated, and rekeyed_from and rekeyed_to where the primary key changes. entity_type is '
    'schema.table, entity_id the primary key as text (of several columns a JSON array), changes {"column": {"old", '
    '"new"}} of what changed. organisation_column (uuid) names the tenant. Columns in exclude are not captured, of '
    'those in redact only that they changed. level is how its triggers run: after each statement, or, for partitions '
    'and tables that logical replication writes to, after each row. Calling it again changes the choice. For a role '
    'that owns the table and may act as pgtrail_owner. Raises 22023, 55000 (audit_log is not installed).';

-- Invoker: only who owns a table may take its triggers away.
create or replace function pgtrail.untrack(target regclass)
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
    set client_min_messages = warning
as $$
declare
    v_entity_type text;
    v_operation text;
begin
    select known.entity_type::text into v_entity_type
    from pgtrail.tracked_table as known where known.relation = untrack.target;
    if v_entity_type is null then
        raise exception '% is not tracked', coalesce(untrack.target::text, 'null')
            using errcode = 'invalid_parameter_value',
                  hint = 'pgtrail.tracked_table has those that are.';
    end if;
    -- Of a table that was dropped, only the note is left.
    if exists (select from pg_catalog.pg_class as class where class.oid = untrack.target) then
        foreach v_operation in array array['insert', 'update', 'delete', 'truncate'] loop
            execute format('drop trigger if exists %I on %s', 'pgtrail_capture_' || v_operation, untrack.target);
        end loop;
    end if;
    perform pgtrail._drop_capture(v_entity_type);
end;
$$;

revoke all on function pgtrail.untrack from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail.untrack is
    'Stops capturing a table. What was captured stays, and that it stopped is an entry of audit_log. Raises 22023 when '
    'the table is not tracked.';

-- Invoker: the event trigger belongs to who created it.
create or replace function pgtrail.unwatch_tracked_tables()
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
    set client_min_messages = warning
as $$
begin
    drop event trigger if exists pgtrail_refresh_tracking;
end;
$$;

revoke all on function pgtrail.unwatch_tracked_tables from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail.unwatch_tracked_tables is
    'Takes back pgtrail.watch_tracked_tables(). Raises 42501 for a role that does not own the event trigger.';

-- Invoker: an event trigger belongs to who creates it, and Postgres lets a superuser do so only.
create or replace function pgtrail.watch_tracked_tables()
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
    set client_min_messages = warning
as $$
begin
    -- Anew, in case somebody disabled it.
    drop event trigger if exists pgtrail_refresh_tracking;
    create event trigger pgtrail_refresh_tracking on ddl_command_end
        when tag in ('ALTER TABLE')
        execute function pgtrail.tg__refresh_tracking();
exception
    when insufficient_privilege then
        raise exception '% may not create or replace event trigger pgtrail_refresh_tracking', current_user
            using errcode = 'insufficient_privilege',
                  hint = 'Call pgtrail.refresh_tracking() after ALTER TABLE: pgtrail.health() tells when it is due.';
end;
$$;

revoke all on function pgtrail.watch_tracked_tables from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail.watch_tracked_tables is
    'Has pgtrail.refresh_tracking() called after each ALTER TABLE of a tracked table, by an event trigger. For a role '
    'that may create one. Raises 42501.';

create or replace function pgtrail._batch_end(batch pgtrail.batch)
    returns pgtrail.log_position
    language plpgsql immutable parallel safe
    set search_path = pg_catalog, pg_temp
as $$
begin
    return row(
        (_batch_end.batch).to_tx_id, (_batch_end.batch).to_trail_name,
        (_batch_end.batch).to_entry_id)::pgtrail.log_position;
end;
$$;

revoke all on function pgtrail._batch_end from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._batch_end is
    'Returns the position up to which the entries of a batch lie, its own included.';

create or replace function pgtrail._batch_start(batch pgtrail.batch)
    returns pgtrail.log_position
    language plpgsql immutable parallel safe
    set search_path = pg_catalog, pg_temp
as $$
begin
    return row(
        (_batch_start.batch).from_tx_id, (_batch_start.batch).from_trail_name,
        (_batch_start.batch).from_entry_id)::pgtrail.log_position;
end;
$$;

revoke all on function pgtrail._batch_start from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._batch_start is 'Returns the position behind which the entries of a batch lie.';

create or replace function pgtrail._commitment_expression(salt text, value text)
    returns text
    language plpgsql immutable
    set search_path = pg_catalog, pg_temp
as $$
begin
    return format(
        'sha256(%s || convert_to(%s, ''UTF8''))', _commitment_expression.salt, _commitment_expression.value);
end;
$$;

revoke all on function pgtrail._commitment_expression from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._commitment_expression is
    'Returns the SQL expression of what the log has of the value of an erasable column, sha256(salt of the column || '
    'UTF-8 value), from expressions of both. Of a digested column the salt is empty.';

create or replace function pgtrail._derived_salt_expression(row_salt text, column_name name)
    returns text
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set bytea_output = 'hex'
as $$
begin
    return format(
        'sha256(uuid_send(%s) || %L::bytea)',
        _derived_salt_expression.row_salt, convert_to(_derived_salt_expression.column_name, 'UTF8'));
end;
$$;

revoke all on function pgtrail._derived_salt_expression from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._derived_salt_expression is
    'Returns the SQL expression of the salt of one erasable column of an entry, sha256(salt of the row || UTF-8 name '
    'of the column), from the expression of the salt of the row.';

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

create or replace function pgtrail._entries_query(
    trail_name text,
    columns    text,
    behind     pgtrail.log_position,
    up_to      pgtrail.log_position,
    first_id   uuid default pgtrail._least_id(),
    last_id    uuid default pgtrail._greatest_id()
)
    returns text
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_relation regclass;
    v_from_id uuid;
    v_to_id uuid;
    v_exceptions text := '';
begin
    select registered.relation into strict v_relation
    from pgtrail.trail as registered
    where registered.trail_name = _entries_query.trail_name;

    -- Within the transaction of a position, trails come one after the other.
    v_from_id := case
        when _entries_query.trail_name collate "C" > (_entries_query.behind).trail_name then pgtrail._least_id()
        when _entries_query.trail_name = (_entries_query.behind).trail_name then (_entries_query.behind).entry_id
        else pgtrail._greatest_id()
    end;
    v_to_id := case
        when _entries_query.trail_name collate "C" < (_entries_query.up_to).trail_name then pgtrail._greatest_id()
        when _entries_query.trail_name = (_entries_query.up_to).trail_name then (_entries_query.up_to).entry_id
        else pgtrail._least_id()
    end;

    -- Hardly any trail has exceptions, and to look for those of each entry costs a tenth of sealing it.
    if exists (select from pgtrail.unsealable_entry as listed where listed.trail_name = _entries_query.trail_name) then
        v_exceptions := format(
            'and not exists (select from pgtrail.unsealable_entry as listed '
            'where listed.trail_name = %L and listed.entry_id = row.id) ',
            _entries_query.trail_name);
    end if;
    if exists (select from pgtrail.late_entry as listed where listed.trail_name = _entries_query.trail_name) then
        v_exceptions := v_exceptions || format(
            'and not exists (select from pgtrail.late_entry as listed '
            'where listed.trail_name = %L and listed.entry_id = row.id)',
            _entries_query.trail_name);
    end if;

    return format(
        $query$
        select %1$s
        from %2$s as row
        where row.era = $1
            and (row.tx_id, row.id) > ($2, %3$L::uuid)
            and (row.tx_id, row.id) <= ($3, %4$L::uuid)
            and row.id between %5$L::uuid and %6$L::uuid
            %7$s
        order by row.tx_id, row.id
        limit $4
        $query$,
        _entries_query.columns, v_relation, v_from_id, v_to_id, _entries_query.first_id, _entries_query.last_id,
        v_exceptions);
end;
$$;

revoke all on function pgtrail._entries_query from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._entries_query is
    'Returns the query of the columns (of "row") of a trail''s entries that are in the log, or would be, behind one '
    'position and up to another, in the order of the log. Parameters: $1 era, $2 and $3 the '
    'transactions of the positions, $4 how many at most. Only ids from first_id to last_id are looked at.';

create or replace function pgtrail._entry_bytes(trail_name text, entry_id uuid, version smallint)
    returns bytea
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set timezone = 'UTC' set datestyle = 'ISO, MDY' set intervalstyle = 'iso_8601' set extra_float_digits = 1
    set bytea_output = 'hex'
as $$
declare
    v_entry bytea;
begin
    execute format(
        'select %s from %s as entry where entry.id = $1',
        pgtrail._entry_expression(_entry_bytes.trail_name, _entry_bytes.version),
        (
            select registered.relation
            from pgtrail.trail as registered
            where registered.trail_name = _entry_bytes.trail_name
        ))
    into v_entry
    using _entry_bytes.entry_id;
    return v_entry;
end;
$$;

revoke all on function pgtrail._entry_bytes from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._entry_bytes is
    'Returns the bytes of one entry as the log has them: what pgtrail._entry_expression says. Null when there is none.';

-- json_build_array(...)::text is the one rendering that is the same under every TimeZone, DateStyle and
-- client_encoding, after ADD COLUMN and on every version of Postgres, as long as times enter as integers. The
-- expression belongs to the snapshot it is made in: the next one may see the trail's first erasure.
create or replace function pgtrail._entry_expression(trail_name text, version smallint)
    returns text
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_format pgtrail.entry_format;
    v_relation regclass;
    v_values text;
    v_was_erased boolean;
begin
    select format.* into strict v_format
    from pgtrail.entry_format as format
    where format.trail_name = _entry_expression.trail_name and format.version = _entry_expression.version;

    select registered.relation into strict v_relation
    from pgtrail.trail as registered
    where registered.trail_name = _entry_expression.trail_name;

    v_was_erased := exists (
        select from pgtrail.erasure as erasure where erasure.trail_name = _entry_expression.trail_name);

    select string_agg(
            case
                when type.oid is null then 'null'
                when part.column_name = any (v_format.erasable)
                    then pgtrail._erasable_expression(v_format.trail_name, part.column_name, v_was_erased)
                when part.column_name = any (v_format.digested)
                    then format('encode(%s, ''hex'')', pgtrail._commitment_expression(
                        '''''::bytea', format('entry.%I::text', part.column_name)))
                when coalesce(nullif(type.typbasetype, 0), type.oid) in ('timestamptz'::regtype, 'timestamp'::regtype)
                    then format('(extract(epoch from entry.%I) * 1000000)::bigint', part.column_name)
                when coalesce(nullif(type.typbasetype, 0), type.oid) = 'bytea'::regtype
                    then format('encode(entry.%I, ''hex'')', part.column_name)
                else format('entry.%I', part.column_name)
            end,
            ', ' order by part.place)
    into v_values
    from unnest(v_format.columns) with ordinality as part (column_name, place)
    left join pg_catalog.pg_attribute as attribute
        on attribute.attrelid = v_relation
        and attribute.attname = part.column_name
        and not attribute.attisdropped
    left join pg_catalog.pg_type as type on type.oid = attribute.atttypid;

    return format(
        'convert_to(json_build_array(%L, %s)::text, ''UTF8'')',
        v_format.trail_name || '/' || v_format.version, v_values);
end;
$$;

revoke all on function pgtrail._entry_expression from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._entry_expression is
    'Returns the SQL expression that encodes the row "entry" of a trail: the UTF-8 text of a JSON array that begins '
    'with <trail>/<version>. Times are microseconds since 1970; erasable columns the hex of sha256(sha256(row salt '
    '|| column name) || value), or what pgtrail.erasure kept of it; digested columns the hex of sha256(value).';

create or replace function pgtrail._era_end()
    returns pgtrail.log_position
    language plpgsql immutable parallel safe
    set search_path = pg_catalog, pg_temp
as $$
begin
    return row('18446744073709551615'::xid8, ''::text collate "C", pgtrail._least_id())::pgtrail.log_position;
end;
$$;

revoke all on function pgtrail._era_end from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._era_end is 'Returns the position behind every entry of an era.';

-- Hardly any trail has erasures, and to plan for those costs more than half of finding an entry's leaf. It is the text
-- of a value that is there or not: of a row value with a null in it, IS NOT NULL says false.
create or replace function pgtrail._erasable_expression(trail_name text, column_name name, was_erased boolean)
    returns text
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_salt text := pgtrail._derived_salt_expression('entry.erasure_salt', _erasable_expression.column_name);
    v_value text := format('entry.%I::text', _erasable_expression.column_name);
    v_kept text := format(
        'from pgtrail.erasure as erasure where erasure.trail_name = %L and erasure.entry_id = entry.id '
        'and erasure.column_name = %L', _erasable_expression.trail_name, _erasable_expression.column_name);
begin
    return format('encode(%s, ''hex'')', case
        when not _erasable_expression.was_erased then pgtrail._commitment_expression(v_salt, v_value)
        else format(
            'case when %1$s is not null then %2$s '
            'when entry.erasure_salt is null then (select erasure.commitment %3$s) end',
            v_value,
            pgtrail._commitment_expression(
                pgtrail._kept_salt_expression(
                    _erasable_expression.trail_name, _erasable_expression.column_name), v_value),
            v_kept)
    end);
end;
$$;

revoke all on function pgtrail._erasable_expression from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._erasable_expression is
    'Returns the SQL expression of an erasable column in the entry of the row "entry": the commitment to its value in '
    'hex, or, where the trail was_erased, what pgtrail.erasure kept.';

create or replace function pgtrail._head_position(head pgtrail.log)
    returns pgtrail.log_position
    language plpgsql immutable parallel safe
    set search_path = pg_catalog, pg_temp
as $$
begin
    return row(
        (_head_position.head).tx_id, (_head_position.head).trail_name,
        (_head_position.head).entry_id)::pgtrail.log_position;
end;
$$;

revoke all on function pgtrail._head_position from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._head_position is 'Returns the position up to which the entries of the era are sealed.';

create or replace function pgtrail._kept_salt_expression(trail_name text, column_name name)
    returns text
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
begin
    return format(
        'coalesce(%s, (select erasure.salt from pgtrail.erasure as erasure where erasure.trail_name = %L '
        'and erasure.entry_id = entry.id and erasure.column_name = %L))',
        pgtrail._derived_salt_expression('entry.erasure_salt', _kept_salt_expression.column_name),
        _kept_salt_expression.trail_name, _kept_salt_expression.column_name);
end;
$$;

revoke all on function pgtrail._kept_salt_expression from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._kept_salt_expression is
    'Returns the SQL expression of the salt of an erasable column of the row "entry", also when another column of it '
    'was erased.';

-- This is asked before _encoded_entries(), because it is cheap: a query that encodes entries costs its planning over
-- every partition that it may have to read, and most of the time all is in one.
create or replace function pgtrail._occupied_range(
    era          smallint,
    behind       pgtrail.log_position,
    up_to        pgtrail.log_position,
    max_entries  int,
    of_trails    text[],
    out trails   text[],
    out first_id uuid,
    out last_id  uuid
)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set jit = off set enable_sort = off set enable_bitmapscan = off set enable_seqscan = off
as $$
declare
    v_trail_name text;
    v_parts text[] := '{}'::text[];
begin
    foreach v_trail_name in array _occupied_range.of_trails loop
        v_parts := v_parts || format(
            'select %L as trail_name, min(id::text collate "C") as first_id, max(id::text collate "C") as last_id '
            'from (%s) as entry having count(*) > 0',
            v_trail_name,
            pgtrail._entries_query(v_trail_name, 'row.id', _occupied_range.behind, _occupied_range.up_to));
    end loop;
    if v_parts = '{}'::text[] then
        trails := '{}'::text[];
        return;
    end if;

    -- Ids are compared as text, since min(uuid) is new in Postgres 18.
    execute format(
        'select coalesce(array_agg(trail_name), ''{}''::text[]), min(first_id)::uuid, max(last_id)::uuid '
        'from (%s) as part',
        array_to_string(v_parts, ' union all '))
    into trails, first_id, last_id
    using _occupied_range.era, (_occupied_range.behind).tx_id, (_occupied_range.up_to).tx_id,
        _occupied_range.max_entries;
end;
$$;

revoke all on function pgtrail._occupied_range from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._occupied_range is
    'Returns the trails of of_trails that have entries behind one position and up to another, and the '
    'least and the greatest of the ids of the first max_entries of each.';

create or replace function pgtrail._position_before(tx_id xid8)
    returns pgtrail.log_position
    language plpgsql immutable parallel safe
    set search_path = pg_catalog, pg_temp
as $$
begin
    return row(_position_before.tx_id, ''::text collate "C", pgtrail._least_id())::pgtrail.log_position;
end;
$$;

revoke all on function pgtrail._position_before from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._position_before is
    'Returns the position before all entries of a transaction: where the log stands when all before it is sealed.';

create or replace function pgtrail._sealed_version(first_leaf bigint, trail_name text)
    returns smallint
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
begin
    return (
        select min(content.version)
        from pgtrail.batch_content as content
        where content.log_id = 1
            and content.first_leaf = _sealed_version.first_leaf
            and content.trail_name = _sealed_version.trail_name
    );
end;
$$;

revoke all on function pgtrail._sealed_version from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._sealed_version is
    'Returns the version of the entry format in which a batch has the entries of a trail; null when it has none.';

-- The cheapest question to plan, and to answer: most trails have nothing there most of the time.
create or replace function pgtrail._trails_between(from_tx_id xid8, to_tx_id xid8)
    returns text[]
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set jit = off set enable_seqscan = off set enable_bitmapscan = off
as $$
declare
    v_trail record;
    v_found boolean;
    v_trails text[] := '{}'::text[];
begin
    for v_trail in select registered.trail_name, registered.relation from pgtrail.trail as registered loop
        execute format('select exists (select from %s where tx_id between $1 and $2)', v_trail.relation)
        into v_found
        using _trails_between.from_tx_id, _trails_between.to_tx_id;
        if v_found then
            v_trails := v_trails || v_trail.trail_name;
        end if;
    end loop;
    return v_trails;
end;
$$;

revoke all on function pgtrail._trails_between from public, anon, authenticated, service_role;
grant execute on function pgtrail._trails_between to pgtrail_auditor;
comment on function pgtrail._trails_between is
    'Returns the trails that have entries of the transactions from from_tx_id to to_tx_id, both included.';

create or replace function pgtrail._unsealed_condition(trail_name text)
    returns text
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_log pgtrail.log;
    v_condition text;
    v_aside uuid[];
begin
    select head.* into strict v_log from pgtrail.log as head where head.log_id = 1;
    v_condition := format(
        'entry.era = %s and (entry.tx_id, entry.id) > (%L::xid8, %L::uuid)',
        v_log.era, v_log.tx_id,
        case
            when _unsealed_condition.trail_name collate "C" > v_log.trail_name then pgtrail._least_id()
            when _unsealed_condition.trail_name = v_log.trail_name then v_log.entry_id
            else pgtrail._greatest_id()
        end);
    -- They are values: the caller who runs the query may not read the table.
    select array_agg(listed.entry_id) into v_aside
    from pgtrail.unsealable_entry as listed
    where listed.trail_name = _unsealed_condition.trail_name;
    if v_aside is not null then
        v_condition := v_condition || format(' and entry.id <> all (%L::uuid[])', v_aside);
    end if;
    return v_condition;
end;
$$;

revoke all on function pgtrail._unsealed_condition from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._unsealed_condition is
    'Returns the condition, as SQL over the row "entry" of a trail, under which pgtrail.rollup does not have it yet.';

-- The door for erasure. It belongs to pgtrail_purger, whom the guards let through; nobody else may call it.
create or replace function pgtrail._erase_columns(relation regclass, entry_id uuid, columns name[])
    returns void
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_erased bigint;
begin
    execute format(
        'update %s set erasure_salt = null, %s where id = $1',
        _erase_columns.relation,
        (select string_agg(format('%I = null', part.name), ', ') from unnest(_erase_columns.columns) as part (name)))
    using _erase_columns.entry_id;
    get diagnostics v_erased = row_count;
    if v_erased <> 1 then
        raise exception 'the entry could not be erased'
            using errcode = 'data_corrupted',
                  detail = format('%s entries were changed', v_erased),
                  hint = 'Run pgtrail.verify(), and pgtrail doctor for the policies of the table.';
    end if;
end;
$$;

alter function pgtrail._erase_columns owner to pgtrail_purger;
revoke all on function pgtrail._erase_columns from public, anon, authenticated, service_role, pgtrail_auditor;
grant execute on function pgtrail._erase_columns to pgtrail_owner;
comment on function pgtrail._erase_columns is
    'Sets columns and the salt of one entry to null. Raises XX001 when it is not one entry.';

-- The settings are those with which entries are encoded: a commitment is over the same text.
create or replace function pgtrail.erase(trail regclass, id uuid, columns name[], reason text)
    returns void
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
    set timezone = 'UTC' set datestyle = 'ISO, MDY' set intervalstyle = 'iso_8601' set extra_float_digits = 1
    set bytea_output = 'hex'
as $$
declare
    v_trail pgtrail.trail;
    v_organisation_id uuid;
    v_at timestamptz;
    v_salt uuid;
    v_column name;
    v_value text;
    v_derived bytea;
    v_commitment bytea;
    v_erases boolean;
begin
    select registered.* into v_trail
    from pgtrail.trail as registered
    where registered.trail_name = pgtrail.trail_name(erase.trail);

    if coalesce(cardinality(erase.columns), 0) = 0 or not erase.columns <@ v_trail.erasable then
        raise exception 'these columns cannot be erased'
            using errcode = 'invalid_parameter_value',
                  detail = format('asked for %s, erasable are %s', coalesce(erase.columns::text, 'none'),
                                  v_trail.erasable),
                  hint = 'Which columns of a trail are erasable is decided when it is created.';
    elsif coalesce(erase.reason, '') = '' then
        raise exception 'an erasure needs a reason'
            using errcode = 'invalid_parameter_value',
                  hint = 'Name the request; do not repeat the data.';
    end if;

    -- Sealing waits, so that an entry is encoded before or after, not in between.
    perform from pgtrail.log as head where head.log_id = 1 for update;

    execute format(
        'select %I, %I, erasure_salt from %s where id = $1',
        v_trail.organisation_column, v_trail.time_column, v_trail.relation)
    into v_organisation_id, v_at, v_salt
    using erase.id;
    if v_at is null then
        raise exception 'there is no such entry'
            using errcode = 'PT404',
                  detail = format('entry %s of %s', erase.id, v_trail.trail_name),
                  hint = 'It may have been removed under a retention policy.';
    elsif pgtrail._is_held(v_trail.trail_name, v_organisation_id, v_at) then
        raise exception 'the entry is under a legal hold'
            using errcode = 'TR004',
                  detail = format('entry %s of %s', erase.id, v_trail.trail_name),
                  hint = 'Release the hold first: see pgtrail.legal_hold.';
    end if;

    -- Nothing was there, or it is gone already.
    execute format(
        'select num_nonnulls(%s) > 0 from %s where id = $1',
        (select string_agg(quote_ident(part.name), ', ') from unnest(erase.columns) as part (name)), v_trail.relation)
    into v_erases
    using erase.id;
    if not v_erases then
        return;
    end if;

    foreach v_column in array v_trail.erasable loop
        execute format('select %I::text from %s where id = $1', v_column, v_trail.relation)
        into v_value
        using erase.id;
        continue when v_value is null;

        execute 'select ' || pgtrail._derived_salt_expression('$1', v_column) into v_derived using v_salt;
        v_derived := coalesce(
            v_derived,
            (
                select kept.salt
                from pgtrail.erasure as kept
                where kept.trail_name = v_trail.trail_name
                    and kept.entry_id = erase.id
                    and kept.column_name = v_column
            ));
        execute 'select ' || pgtrail._commitment_expression('$1', '$2') into v_commitment using v_derived, v_value;
        insert into pgtrail.erasure as kept (trail_name, entry_id, column_name, commitment, salt, reason)
        values (
            v_trail.trail_name, erase.id, v_column,
            case when v_column = any (erase.columns) then v_commitment end,
            case when v_column <> all (erase.columns) then v_derived end,
            case when v_column = any (erase.columns) then erase.reason end)
        on conflict on constraint erasure_pkey do update
        set commitment = excluded.commitment,
            salt = excluded.salt,
            reason = excluded.reason,
            erased_at = clock_timestamp()
        where excluded.commitment is not null;
    end loop;

    perform pgtrail._erase_columns(v_trail.relation, erase.id, erase.columns);
    perform pgtrail._record_act('entry.erased', v_organisation_id, jsonb_build_object(
        'trail', v_trail.trail_name, 'entry_id', erase.id, 'columns', erase.columns, 'reason', erase.reason));
end;
$$;

revoke all on function pgtrail.erase from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail.erase is
    'Erases columns of an entry: their values and the salt of the entry are gone, and what the proof of the entry '
    'needs is kept in pgtrail.erasure. Audited, with the reason; nothing happens when there is nothing to erase. '
    'Raises 22023 (no trail, columns that are not erasable, no reason), PT404 (no such entry), TR004 (under a legal '
    'hold).';

create or replace function pgtrail._alert_health()
    returns table (check_name text, status text, detail text)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set jit = off
as $$
declare
    v_found bigint;
begin
    check_name := 'alerts';
    select count(*) into v_found
    from pgtrail.alert as alert
    where alert.severity = 'critical' and alert.resolved_at is null;
    status := case when v_found > 0 then 'critical' else 'ok' end;
    detail := format('%s critical alerts are open', v_found);
    return next;
end;
$$;

revoke all on function pgtrail._alert_health from public, anon, authenticated, service_role;
grant execute on function pgtrail._alert_health to pgtrail_auditor;
comment on function pgtrail._alert_health is 'Counts the critical alerts that are open.';

create or replace function pgtrail._failed_write_health()
    returns table (check_name text, status text, detail text)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set jit = off
as $$
declare
    v_found bigint := (select count(*) from pgtrail.failed_write as failed where failed.replayed_at is null);
begin
    check_name := 'failed writes';
    status := case when v_found > 0 then 'critical' else 'ok' end;
    detail := format('%s wait in pgtrail.failed_write for pgtrail.replay_failed_writes()', v_found);
    return next;
end;
$$;

revoke all on function pgtrail._failed_write_health from public, anon, authenticated, service_role;
grant execute on function pgtrail._failed_write_health to pgtrail_auditor;
comment on function pgtrail._failed_write_health is 'Counts the captured changes that could not be recorded.';

create or replace function pgtrail._grant_health()
    returns table (check_name text, status text, detail text)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set jit = off
as $$
declare
    v_found bigint := (select count(*) from pgtrail._privilege_findings());
begin
    check_name := 'grants';
    status := case when v_found > 0 then 'critical' else 'ok' end;
    detail := format('%s privileges on trails or partitions that nobody should have: see pgtrail doctor', v_found);
    return next;
end;
$$;

revoke all on function pgtrail._grant_health from public, anon, authenticated, service_role;
grant execute on function pgtrail._grant_health to pgtrail_auditor;
comment on function pgtrail._grant_health is 'Counts what pgtrail._privilege_findings() finds.';

create or replace function pgtrail._guard_findings()
    returns table (check_name text, level text, message text, fix text)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    -- It may be gone: that is found, too.
    v_guard oid := to_regprocedure('pgtrail.tg__refuse_change()')::oid;
begin
    return query
    select 'guards', 'error',
        format('%s: trigger %s %s', expected.name, expected.guard, case
            when actual.oid is null then 'is missing'
            when actual.tgfoid is distinct from v_guard then 'calls another function'
            else 'is not enabled always'
        end),
        case when actual.tgfoid is not null and actual.tgfoid is distinct from v_guard
            then format('drop trigger %I on %s; ', expected.guard, expected.name) else '' end
            || case when actual.tgfoid is distinct from v_guard
                then format('create trigger %I before %s on %s for each %s execute function '
                            'pgtrail.tg__refuse_change(); ',
                            expected.guard, expected.events, expected.name, expected.level) else '' end
            || format('alter table %s enable always trigger %I;', expected.name, expected.guard)
    from (
        select own.relation, own.name, guard.name as guard, guard.events, guard.level
        from pgtrail._trail_tables() as own
        cross join (values
            ('refuse_change_of_statement', 'update or delete or truncate', 'statement'),
            ('refuse_change_of_row', 'update or delete', 'row')
        ) as guard (name, events, level)
    ) as expected
    left join pg_catalog.pg_trigger as actual
        on actual.tgrelid = expected.relation and actual.tgname = expected.guard
    where actual.tgenabled is distinct from 'A'
        or actual.tgfoid is distinct from v_guard;
end;
$$;

revoke all on function pgtrail._guard_findings from public, anon, authenticated, service_role;
grant execute on function pgtrail._guard_findings to pgtrail_auditor;
comment on function pgtrail._guard_findings is
    'Returns each guard of a trail or partition that is missing, calls another function, or is not enabled always.';

create or replace function pgtrail._guard_health()
    returns table (check_name text, status text, detail text)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set jit = off
as $$
declare
    v_found bigint := (select count(*) from pgtrail._guard_findings());
begin
    check_name := 'guards';
    status := case when v_found > 0 then 'critical' else 'ok' end;
    detail := format(
        '%s guards of trails or partitions are missing or not enabled always: see pgtrail doctor', v_found);
    return next;
end;
$$;

revoke all on function pgtrail._guard_health from public, anon, authenticated, service_role;
grant execute on function pgtrail._guard_health to pgtrail_auditor;
comment on function pgtrail._guard_health is 'Counts what pgtrail._guard_findings() finds.';

create or replace function pgtrail._job_health()
    returns table (check_name text, status text, detail text)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set jit = off
as $$
declare
    v_jobs record;
begin
    if not exists (
        select from pg_catalog.pg_namespace as namespace
        where namespace.nspname = 'cron' and has_schema_privilege(namespace.oid, 'usage')
    ) then
        return;
    end if;
    -- A role without USAGE on the schema may not even ask for the tables.
    if (has_table_privilege(to_regclass('cron.job'), 'select')
        and has_table_privilege(to_regclass('cron.job_run_details'), 'select')) is not true
    then
        return;
    end if;

    execute $query$
        select count(*) as scheduled,
            count(*) filter (where latest.status = 'failed') as failed,
            string_agg(latest.jobname || ' failed', ', ' order by latest.jobname)
                filter (where latest.status = 'failed') as names
        from (
            select distinct on (job.jobid) job.jobname, run.status
            from cron.job
            left join cron.job_run_details as run on run.jobid = job.jobid
            where job.jobname like 'pgtrail\_%'
            order by job.jobid, run.runid desc
        ) as latest
        $query$
    into v_jobs;
    if v_jobs.scheduled > 0 then
        check_name := 'jobs';
        status := case when v_jobs.failed > 0 then 'critical' else 'ok' end;
        detail := coalesce(v_jobs.names, format('%s jobs of pg_cron', v_jobs.scheduled));
        return next;
    end if;
end;
$$;

revoke all on function pgtrail._job_health from public, anon, authenticated, service_role;
grant execute on function pgtrail._job_health to pgtrail_auditor;
comment on function pgtrail._job_health is
    'Tells how the jobs of pg_cron ended last that this role scheduled; it shows nobody another''s. No row '
    'without any.';

create or replace function pgtrail._maintenance_health()
    returns table (check_name text, status text, detail text)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set jit = off
as $$
declare
    v_maintained_at timestamptz := (select head.maintained_at from pgtrail.log as head where head.log_id = 1);
begin
    check_name := 'maintenance';
    status := case
        when coalesce(v_maintained_at, (select min(registered.registered_at) from pgtrail.trail as registered))
            < clock_timestamp() - interval '26 hours' then 'critical'
        else 'ok'
    end;
    detail := case
        when v_maintained_at is null then 'not run yet'
        else format('last run %s ago', date_trunc('second', clock_timestamp() - v_maintained_at))
    end;
    return next;
end;
$$;

revoke all on function pgtrail._maintenance_health from public, anon, authenticated, service_role;
grant execute on function pgtrail._maintenance_health to pgtrail_auditor;
comment on function pgtrail._maintenance_health is 'Tells when maintain() ran last; critical after 26 hours.';

create or replace function pgtrail._membership_findings()
    returns table (check_name text, level text, message text, fix text)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_source record;
    v_found boolean := false;
begin
    check_name := 'membership';
    level := 'error';
    for v_source in
        select distinct class.oid, class.relowner, class.relrowsecurity, class.relforcerowsecurity,
            class.oid::regclass::text as name
        from pg_catalog.pg_rewrite as rule
        join pg_catalog.pg_depend as dependency
            on dependency.classid = 'pg_rewrite'::regclass
            and dependency.objid = rule.oid
            and dependency.refclassid = 'pg_class'::regclass
        join pg_catalog.pg_class as class on class.oid = dependency.refobjid
        where rule.ev_class = 'pgtrail.membership'::regclass and dependency.refobjid <> rule.ev_class
    loop
        v_found := true;
        if not has_table_privilege('pgtrail_owner', v_source.oid, 'select') then
            message := format('pgtrail_owner may not select from %s, which pgtrail.membership reads', v_source.name);
            fix := format('grant select on %s to pgtrail_owner;', v_source.name);
            return next;
        end if;
        if v_source.relrowsecurity
            and (v_source.relforcerowsecurity or not pg_has_role('pgtrail_owner', v_source.relowner, 'usage'))
            and not exists (
                select
                from pg_catalog.pg_policy as policy
                cross join unnest(policy.polroles) as role
                where policy.polrelid = v_source.oid
                    and policy.polpermissive
                    and policy.polcmd in ('r', '*')
                    and case role when 0 then true else pg_has_role('pgtrail_owner', role, 'usage') end
                    and pg_get_expr(policy.polqual, policy.polrelid) = 'true')
        then
            message := format('row level security hides the rows of %s from pgtrail_owner: the view is empty without '
                              'an error', v_source.name);
            fix := format('create policy select_pgtrail on %s for select to pgtrail_owner using (true);',
                          v_source.name);
            return next;
        end if;
    end loop;
    if not v_found then
        message := 'pgtrail.membership reads no table: nobody can read the entries of an organisation';
        fix := 'create or replace view pgtrail.membership as select user_id::text, organisation_id, role::text '
               'from <your members table>;';
        return next;
    end if;
end;
$$;

revoke all on function pgtrail._membership_findings from public, anon, authenticated, service_role;
grant execute on function pgtrail._membership_findings to pgtrail_auditor;
comment on function pgtrail._membership_findings is
    'Returns what keeps pgtrail.membership from having the members of a table.';

create or replace function pgtrail._partition_findings()
    returns table (check_name text, level text, message text, fix text)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set timezone = 'UTC'
as $$
begin
    return query
    select 'partitions', 'error',
        format('%s: no partition for %s', registered.relation, to_char(ahead.month, 'YYYY-MM')),
        format('select pgtrail.ensure_partitions(%L, now(), now() + interval ''13 months'');',
               registered.relation::text)
    from pgtrail.trail as registered
    cross join generate_series(
        date_trunc('month', now()), date_trunc('month', now()) + interval '2 months', interval '1 month')
        as ahead (month)
    where not exists (
        select from pgtrail._monthly_partitions(registered.relation) as part where part.month = ahead.month)
    union all
    select 'partitions', 'error',
        format('%s has a default partition', registered.relation),
        format('alter table %s detach partition %s;', registered.relation, partitioned.partdefid::regclass)
    from pgtrail.trail as registered
    join pg_catalog.pg_partitioned_table as partitioned on partitioned.partrelid = registered.relation
    where partitioned.partdefid <> 0;
end;
$$;

revoke all on function pgtrail._partition_findings from public, anon, authenticated, service_role;
grant execute on function pgtrail._partition_findings to pgtrail_auditor;
comment on function pgtrail._partition_findings is
    'Returns each of this and the next two months that a trail has no partition for, and each default partition.';

create or replace function pgtrail._partition_health()
    returns table (check_name text, status text, detail text)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set jit = off
as $$
declare
    v_months bigint;
begin
    check_name := 'partitions ahead';
    select coalesce(min(ahead.months), 0) into v_months
    from (
        select count(*) filter (where part.month > now()) as months
        from pgtrail.trail as registered
        left join lateral pgtrail._monthly_partitions(registered.relation) as part on true
        group by registered.trail_name
    ) as ahead;
    status := case when v_months < 2 then 'critical' when v_months < 12 then 'warning' else 'ok' end;
    detail := format('%s months', v_months);
    return next;
end;
$$;

revoke all on function pgtrail._partition_health from public, anon, authenticated, service_role;
grant execute on function pgtrail._partition_health to pgtrail_auditor;
comment on function pgtrail._partition_health is
    'Tells for how many months ahead every trail has partitions; critical below 2.';

create or replace function pgtrail._privilege_findings()
    returns table (check_name text, level text, message text, fix text)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select 'privileges', 'error',
        format('%s: %s has %s', held.name, held.grantee, lower(held.privilege_type)),
        format('revoke %s on %s from %s;', lower(held.privilege_type), held.name, held.grantee)
    from (
        select own.name, own.is_partition, item.privilege_type,
            case item.grantee when 0 then 'public' else item.grantee::regrole::text end as grantee
        from pgtrail._trail_tables() as own
        join pg_catalog.pg_class as class on class.oid = own.relation
        cross join aclexplode(class.relacl) as item
        where item.grantee <> class.relowner
    ) as held
    where held.is_partition
        or not (
            held.privilege_type = 'SELECT'
                and held.grantee in ('authenticated', 'service_role', 'pgtrail_auditor', 'pgtrail_purger')
            -- The door of purges and erasures.
            or held.privilege_type in ('UPDATE', 'DELETE') and held.grantee = 'pgtrail_purger')
    union all
    select 'privileges', 'error',
        format('%s: pgtrail_owner does not own it, %s does', own.name, class.relowner::regrole),
        format('alter table %s owner to pgtrail_owner;', own.name)
    from pgtrail._trail_tables() as own
    join pg_catalog.pg_class as class on class.oid = own.relation
    where class.relowner <> 'pgtrail_owner'::regrole;
end;
$$;

revoke all on function pgtrail._privilege_findings from public, anon, authenticated, service_role;
grant execute on function pgtrail._privilege_findings to pgtrail_auditor;
comment on function pgtrail._privilege_findings is
    'Returns each privilege on a trail or partition that nobody should have, and each that pgtrail_owner does not own.';

create or replace function pgtrail._published_checkpoint_health()
    returns table (check_name text, status text, detail text)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set jit = off
as $$
declare
    v_log pgtrail.log;
    v_published pgtrail.published_checkpoint;
begin
    check_name := 'published checkpoint';
    select head.* into strict v_log from pgtrail.log as head where head.log_id = 1;
    select published.* into v_published
    from pgtrail.published_checkpoint as published
    where published.log_id = 1 and published.origin = v_log.origin
    order by published.tree_size desc
    limit 1;
    status := case
        when v_published.tree_size is null then 'warning'
        when not pgtrail.verify_checkpoint(v_published.tree_size, v_published.root) then 'critical'
        when v_published.tree_size < v_log.tree_size
            and v_published.published_at < clock_timestamp() - interval '26 hours' then 'warning'
        else 'ok'
    end;
    detail := case
        when v_published.tree_size is null then 'none yet: from the first one on the log is evidence'
        when status = 'critical' then format(
            'size %s does not fit the log: after a point-in-time recovery call pgtrail.start_new_origin',
            v_published.tree_size)
        else format('size %s of %s, %s ago', v_published.tree_size, v_log.tree_size,
                    date_trunc('second', clock_timestamp() - v_published.published_at))
    end;
    return next;
end;
$$;

revoke all on function pgtrail._published_checkpoint_health from public, anon, authenticated, service_role;
grant execute on function pgtrail._published_checkpoint_health to pgtrail_auditor;
comment on function pgtrail._published_checkpoint_health is
    'Tells how much of the log was published; critical when the log does not fit it any more.';

-- It asks for three days ago: what became due yesterday may wait for somebody who used the partition.
create or replace function pgtrail._retention_health()
    returns table (check_name text, status text, detail text)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set jit = off
as $$
declare
    v_finished_at timestamptz := (select max(run.finished_at) from pgtrail.purge_run as run);
    v_overdue bigint;
begin
    check_name := 'retention';
    if not exists (select from pgtrail.retention_policy as policy where policy.keep is not null) then
        status := 'ok';
        detail := 'no policy: everything is kept for ever';
    elsif not pgtrail._is_retention_enabled() then
        status := 'warning';
        detail := 'this is a copy of the database: nothing is removed until pgtrail.enable_retention()';
    elsif coalesce(v_finished_at, (select min(policy.set_at) from pgtrail.retention_policy as policy))
        < clock_timestamp() - interval '26 hours'
    then
        status := 'critical';
        detail := format('has not run since %s', coalesce(date_trunc('second', v_finished_at)::text, 'ever'));
    else
        v_overdue := pgtrail._overdue_month_count(now() - interval '3 days');
        status := case when v_overdue > 0 then 'critical' else 'ok' end;
        detail := case
            when v_overdue > 0
                then format('%s months of organisations are past their policy and still there', v_overdue)
            when v_finished_at is null then 'set, and runs with the next pgtrail.maintain()'
            else format('last run %s ago', date_trunc('second', clock_timestamp() - v_finished_at))
        end;
    end if;
    return next;
end;
$$;

revoke all on function pgtrail._retention_health from public, anon, authenticated, service_role;
grant execute on function pgtrail._retention_health to pgtrail_auditor;
comment on function pgtrail._retention_health is
    'Tells when retention ran last; critical after 26 hours, or when what became due three days ago is still there.';

create or replace function pgtrail._role_findings()
    returns table (check_name text, level text, message text, fix text)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select 'roles', 'error',
        format('%s may act as %s', member.rolname, closed.rolname),
        format('revoke %I from %I;', closed.rolname, member.rolname)
    from pg_catalog.pg_roles as member
    join pg_catalog.pg_roles as closed on closed.rolname in ('pgtrail_owner', 'pgtrail_purger')
    where member.rolname in ('anon', 'authenticated', 'authenticator', 'service_role', 'pgtrail_auditor')
        and pg_has_role(member.oid, closed.oid, 'member')
        and not member.rolsuper
    union all
    select 'roles', 'error', format('%s may log in', role.rolname), format('alter role %I nologin;', role.rolname)
    from pg_catalog.pg_roles as role
    where role.rolname in ('pgtrail_owner', 'pgtrail_purger') and role.rolcanlogin;
end;
$$;

revoke all on function pgtrail._role_findings from public, anon, authenticated, service_role;
grant execute on function pgtrail._role_findings to pgtrail_auditor;
comment on function pgtrail._role_findings is
    'Returns each role of the API that may act as pgtrail_owner or pgtrail_purger, and each of these that may log in.';

create or replace function pgtrail._row_security_findings()
    returns table (check_name text, level text, message text, fix text)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select 'row security', 'error',
        format('%s: row level security is off', own.name),
        format('alter table %s enable row level security;', own.name)
    from pgtrail._trail_tables() as own
    join pg_catalog.pg_class as class on class.oid = own.relation
    where not class.relrowsecurity
    union all
    select 'row security', 'error',
        format('%s: policy %I lets somebody read around the trail', own.name, policy.polname),
        format('drop policy %I on %s;', policy.polname, own.name)
    from pgtrail._trail_tables() as own
    join pg_catalog.pg_policy as policy on policy.polrelid = own.relation
    where own.is_partition and pg_get_expr(policy.polqual, policy.polrelid) is distinct from 'false';
end;
$$;

revoke all on function pgtrail._row_security_findings from public, anon, authenticated, service_role;
grant execute on function pgtrail._row_security_findings to pgtrail_auditor;
comment on function pgtrail._row_security_findings is
    'Returns each trail or partition without row level security, and each policy that opens a partition.';

create or replace function pgtrail._row_security_health()
    returns table (check_name text, status text, detail text)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set jit = off
as $$
declare
    v_found bigint := (select count(*) from pgtrail._row_security_findings());
begin
    check_name := 'row security';
    status := case when v_found > 0 then 'critical' else 'ok' end;
    detail := format('%s trails or partitions can be read around their policies: see pgtrail doctor', v_found);
    return next;
end;
$$;

revoke all on function pgtrail._row_security_health from public, anon, authenticated, service_role;
grant execute on function pgtrail._row_security_health to pgtrail_auditor;
comment on function pgtrail._row_security_health is 'Counts what pgtrail._row_security_findings() finds.';

create or replace function pgtrail._seal_health()
    returns table (check_name text, status text, detail text)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set jit = off
as $$
declare
    v_log pgtrail.log;
begin
    check_name := 'seal';
    select head.* into strict v_log from pgtrail.log as head where head.log_id = 1;
    status := case
        when v_log.sealed_at < clock_timestamp() - interval '10 minutes'
            and pgtrail._trails_between(v_log.tx_id, pg_snapshot_xmax(pg_current_snapshot())) <> '{}'::text[]
            then 'critical'
        else 'ok'
    end;
    detail := format('last run %s ago, %s leaves', date_trunc('second', clock_timestamp() - v_log.sealed_at),
                     v_log.tree_size);
    return next;
end;
$$;

revoke all on function pgtrail._seal_health from public, anon, authenticated, service_role;
grant execute on function pgtrail._seal_health to pgtrail_auditor;
comment on function pgtrail._seal_health is
    'Tells when entries were sealed last; critical when some have waited for more than 10 minutes since.';

create or replace function pgtrail._seal_lag_health()
    returns table (check_name text, status text, detail text)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set jit = off
as $$
declare
    v_blocker record;
begin
    check_name := 'seal lag';
    -- A prepared transaction has no process.
    select oldest.* into v_blocker
    from (
        select activity.pid::text as pid, activity.datname::text as database, activity.xact_start as started_at,
            activity.backend_xid as xid
        from pg_catalog.pg_stat_activity as activity
        where activity.backend_xid is not null and activity.pid <> pg_backend_pid()
        union all
        select format('prepared transaction %L', prepared.gid), prepared.database, prepared.prepared,
            prepared.transaction
        from pg_catalog.pg_prepared_xacts as prepared
    ) as oldest
    order by age(oldest.xid) desc
    limit 1;
    status := case when v_blocker.started_at < clock_timestamp() - interval '10 minutes' then 'critical' else 'ok' end;
    detail := case
        when v_blocker.pid is null then 'no open transaction holds sealing back'
        else format('pid %s in database %s holds sealing back since %s', v_blocker.pid, v_blocker.database,
                    date_trunc('second', clock_timestamp() - v_blocker.started_at))
    end;
    return next;
end;
$$;

revoke all on function pgtrail._seal_lag_health from public, anon, authenticated, service_role;
grant execute on function pgtrail._seal_lag_health to pgtrail_auditor;
comment on function pgtrail._seal_lag_health is
    'Names the oldest transaction that holds the watermark back; critical after 10 minutes.';

create or replace function pgtrail._set_alert(
    about        text,
    status       text,
    payload      jsonb default '{}',
    organisation uuid default null
)
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_alert_id uuid;
begin
    if _set_alert.status = 'ok' then
        update pgtrail.alert as alert
        set resolved_at = clock_timestamp()
        where alert.kind = _set_alert.about
            and alert.organisation_id is not distinct from _set_alert.organisation
            and alert.resolved_at is null;
        return;
    end if;

    update pgtrail.alert as alert
    set severity = _set_alert.status, payload = _set_alert.payload
    where alert.kind = _set_alert.about
        and alert.organisation_id is not distinct from _set_alert.organisation
        and alert.resolved_at is null
        and alert.severity = _set_alert.status;
    if found then
        return;
    end if;

    insert into pgtrail.alert as alert (severity, kind, organisation_id, payload)
    values (_set_alert.status, _set_alert.about, _set_alert.organisation, _set_alert.payload)
    on conflict (kind, organisation_id) where resolved_at is null do update
    set severity = excluded.severity, payload = excluded.payload
    returning alert.alert_id into v_alert_id;
    perform pg_notify('pgtrail_alert', v_alert_id::text);
end;
$$;

revoke all on function pgtrail._set_alert from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._set_alert is
    'Raises the alert of a kind, or resolves it when the status is ok. Notifies pgtrail_alert with its id when it is '
    'new or its severity has changed; one that is open already is brought up to date.';

create or replace function pgtrail._tracking_health()
    returns table (check_name text, status text, detail text)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set jit = off
as $$
declare
    v_unwatched bigint;
    v_stale bigint;
    v_nameless bigint;
    v_all bigint;
begin
    check_name := 'tracked tables';
    select count(*) filter (where class.oid is null or 4 > (
                select count(*)
                from pg_catalog.pg_trigger as capture
                where capture.tgrelid = known.relation
                    and capture.tgname in (
                        'pgtrail_capture_insert', 'pgtrail_capture_update', 'pgtrail_capture_delete',
                        'pgtrail_capture_truncate')
                    and capture.tgenabled in ('O', 'A'))),
        count(*) filter (
            where class.oid is not null and known.shape is distinct from pgtrail._capture_shape(known.relation)),
        count(*) filter (where class.oid is not null and exists (
            select from unnest(known.excluded || known.redacted || known.organisation_column) as named (name)
            where named.name is not null and not exists (
                select from pg_catalog.pg_attribute as attribute
                where attribute.attrelid = known.relation and attribute.attname = named.name
                    and not attribute.attisdropped
                    and (named.name <> known.organisation_column or attribute.atttypid = 'uuid'::regtype)))),
        count(*)
    into v_unwatched, v_stale, v_nameless, v_all
    from pgtrail.tracked_table as known
    left join pg_catalog.pg_class as class on class.oid = known.relation;
    status := case when v_unwatched > 0 or v_stale > 0 or v_nameless > 0 then 'critical' else 'ok' end;
    detail := case
        when v_unwatched > 0 then format(
            '%s of %s are gone or lack a trigger: call pgtrail.track or pgtrail.untrack', v_unwatched, v_all)
        -- Under another name, a redacted column is captured in full and a tenant is not told.
        when v_nameless > 0 then format(
            '%s of %s lost a column that tracking names: call pgtrail.track', v_nameless, v_all)
        when v_stale > 0 then format(
            '%s of %s were altered: call pgtrail.refresh_tracking()', v_stale, v_all)
        else format('%s', v_all)
    end;
    return next;
end;
$$;

revoke all on function pgtrail._tracking_health from public, anon, authenticated, service_role;
grant execute on function pgtrail._tracking_health to pgtrail_auditor;
comment on function pgtrail._tracking_health is 'Tells whether every tracked table is captured as it is now.';

create or replace function pgtrail._trail_tables()
    returns table (trail regclass, relation regclass, name text, is_partition boolean)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
begin
    -- A partition may have partitions.
    return query
    select registered.relation, tree.relid, tree.relid::text, tree.level > 0
    from pgtrail.trail as registered
    cross join lateral pg_partition_tree(registered.relation) as tree
    order by registered.trail_name, tree.level;
end;
$$;

revoke all on function pgtrail._trail_tables from public, anon, authenticated, service_role;
grant execute on function pgtrail._trail_tables to pgtrail_auditor;
comment on function pgtrail._trail_tables is
    'Returns every trail and each of its partitions, with the name that a statement gives it.';

create or replace function pgtrail._unsealable_entry_health()
    returns table (check_name text, status text, detail text)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set jit = off
as $$
declare
    v_found bigint := (select count(*) from pgtrail.unsealable_entry);
begin
    check_name := 'unsealable entries';
    status := case when v_found > 0 then 'warning' else 'ok' end;
    detail := format('%s set aside in pgtrail.unsealable_entry', v_found);
    return next;
end;
$$;

revoke all on function pgtrail._unsealable_entry_health from public, anon, authenticated, service_role;
grant execute on function pgtrail._unsealable_entry_health to pgtrail_auditor;
comment on function pgtrail._unsealable_entry_health is
    'Counts the entries that were set aside because they cannot be encoded.';

create or replace function pgtrail._verification_health()
    returns table (check_name text, status text, detail text)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set jit = off
as $$
declare
    v_log pgtrail.log;
begin
    check_name := 'verification';
    select head.* into strict v_log from pgtrail.log as head where head.log_id = 1;
    status := case
        when v_log.tree_size > 0
            and coalesce(v_log.verified_at < clock_timestamp() - interval '26 hours', true) then 'warning'
        else 'ok'
    end;
    detail := case
        when v_log.verified_at is null then 'not run yet'
        else format('last run %s ago, goes on at leaf %s', date_trunc('second', clock_timestamp() - v_log.verified_at),
                    v_log.verified_leaf)
    end;
    return next;
end;
$$;

revoke all on function pgtrail._verification_health from public, anon, authenticated, service_role;
grant execute on function pgtrail._verification_health to pgtrail_auditor;
comment on function pgtrail._verification_health is
    'Tells when the log was verified last, and where verification goes on.';

-- What pgtrail doctor shows besides the schema.
create or replace function pgtrail.findings()
    returns table (check_name text, level text, message text, fix text)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select found.* from pgtrail._guard_findings() as found
    union all
    select found.* from pgtrail._row_security_findings() as found
    union all
    select found.* from pgtrail._partition_findings() as found
    union all
    select found.* from pgtrail._privilege_findings() as found
    union all
    select found.* from pgtrail._membership_findings() as found
    union all
    select found.* from pgtrail._role_findings() as found;
end;
$$;

revoke all on function pgtrail.findings from public, anon, authenticated, service_role;
grant execute on function pgtrail.findings to pgtrail_auditor;
comment on function pgtrail.findings is
    'Returns what is wrong with how trails, roles and memberships are set up, with the statement that mends it, to be '
    'run after set role pgtrail_owner; no row when nothing is. What health() says of guards, row security and grants '
    'is counted here. Changes nothing.';

-- A check is a function of this room that returns a row of this shape; pgtrail.maintain() makes alerts of them.
create or replace function pgtrail.health()
    returns table (check_name text, status text, detail text)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select found.* from pgtrail._seal_health() as found
    union all
    select found.* from pgtrail._maintenance_health() as found
    union all
    select found.* from pgtrail._seal_lag_health() as found
    union all
    select found.* from pgtrail._published_checkpoint_health() as found
    union all
    select found.* from pgtrail._unsealable_entry_health() as found
    union all
    select found.* from pgtrail._verification_health() as found
    union all
    select found.* from pgtrail._partition_health() as found
    union all
    select found.* from pgtrail._guard_health() as found
    union all
    select found.* from pgtrail._row_security_health() as found
    union all
    select found.* from pgtrail._grant_health() as found
    union all
    select found.* from pgtrail._alert_health() as found
    union all
    select found.* from pgtrail._retention_health() as found
    union all
    select found.* from pgtrail._tracking_health() as found
    union all
    select found.* from pgtrail._failed_write_health() as found
    union all
    select found.* from pgtrail._job_health() as found;
end;
$$;

revoke all on function pgtrail.health from public, anon, authenticated, service_role;
grant execute on function pgtrail.health to pgtrail_auditor;
comment on function pgtrail.health is
    'Returns how trails and log are doing, a row a check; status is ok, warning or critical. pg_monitor sees who holds '
    'sealing back; others see their own sessions.';

create or replace function pgtrail.open_alerts()
    returns table (
        alert_id        uuid,
        severity        text,
        kind            text,
        organisation_id uuid,
        payload         jsonb,
        raised_at       timestamptz
    )
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select alert.alert_id, alert.severity, alert.kind, alert.organisation_id, alert.payload, alert.raised_at
    from pgtrail.alert as alert
    where alert.resolved_at is null
    order by alert.raised_at, alert.alert_id;
end;
$$;

revoke all on function pgtrail.open_alerts from public, anon, authenticated;
grant execute on function pgtrail.open_alerts to service_role, pgtrail_auditor;
comment on function pgtrail.open_alerts is
    'Returns the alerts that are open, the oldest first. severity is warning or critical.';

-- It reads request.jwt.claims itself, so that it works with and without Supabase's auth schema.
-- After a transaction a custom setting reads as '', not as null; both mean "nobody".
create or replace function pgtrail.jwt_subject()
    returns text
    language plpgsql stable parallel safe
    set search_path = pg_catalog, pg_temp
as $$
begin
    return nullif(nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub', '');
exception
    -- Claims that are no JSON identify nobody.
    when data_exception then
        return null;
end;
$$;

revoke all on function pgtrail.jwt_subject from public, anon;
grant execute on function pgtrail.jwt_subject to authenticated, service_role, pgtrail_auditor;
comment on function pgtrail.jwt_subject is
    'Returns the verified subject (sub) of the request as PostgREST passed it on, or null. '
    'Text, because subjects of third-party identity providers are not always UUIDs.';

-- It says what the policies of every trail say, for RPCs that must refuse instead of returning nothing.
-- Roles, not claims, decide who is trusted; pg_has_role is how Postgres matches "to <role>" in a policy.
create or replace function pgtrail.may_read(organisation_id uuid)
    returns boolean
    language plpgsql stable parallel safe
    set search_path = pg_catalog, pg_temp
as $$
begin
    return pg_has_role(current_user, 'service_role', 'usage')
        or pg_has_role(current_user, 'pgtrail_auditor', 'usage')
        or pg_has_role(current_user, 'pgtrail_owner', 'usage')
        or may_read.organisation_id = any (pgtrail.readable_organisations());
end;
$$;

revoke all on function pgtrail.may_read from public, anon;
grant execute on function pgtrail.may_read to authenticated, service_role, pgtrail_auditor;
comment on function pgtrail.may_read is 'Tells whether the caller may read the entries of an organisation.';

-- Definer: callers may not read pgtrail.membership. It answers only about the caller.
create or replace function pgtrail.readable_organisations()
    returns uuid[]
    language plpgsql stable parallel safe security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    return array(
        select membership.organisation_id
        from pgtrail.membership
        where membership.user_id = (select pgtrail.jwt_subject())
            and membership.role in (select reader.role from pgtrail.reader_role as reader)
            and membership.organisation_id <> pgtrail.platform_organisation()
    );
end;
$$;

revoke all on function pgtrail.readable_organisations from public, anon;
grant execute on function pgtrail.readable_organisations to authenticated, service_role, pgtrail_auditor;
comment on function pgtrail.readable_organisations is
    'Returns the organisations whose entries the subject of the request may read: those in which it has '
    'a role of pgtrail.reader_role according to pgtrail.membership. Never the platform organisation.';

create or replace function pgtrail.require_reader(organisation_id uuid)
    returns void
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
begin
    if not pgtrail.may_read(require_reader.organisation_id) then
        raise exception 'not allowed to read the entries of this organisation'
            using errcode = 'insufficient_privilege',
                  detail = format('organisation %s', require_reader.organisation_id),
                  hint = 'Members of it with a role of pgtrail.reader_role may.';
    end if;
end;
$$;

revoke all on function pgtrail.require_reader from public, anon;
grant execute on function pgtrail.require_reader to authenticated, service_role, pgtrail_auditor;
comment on function pgtrail.require_reader is
    'Raises 42501 when the caller may not read the entries of an organisation.';

create or replace function pgtrail.set_reader_roles(roles text[])
    returns void
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    if set_reader_roles.roles is null or array_position(set_reader_roles.roles, null) is not null then
        raise exception 'roles must be an array of names'
            using errcode = 'invalid_parameter_value',
                  hint = 'Name roles of pgtrail.membership; an empty array lets no member read.';
    end if;

    delete from pgtrail.reader_role as reader where reader.role <> all (set_reader_roles.roles);
    insert into pgtrail.reader_role (role)
    select distinct named.role from unnest(set_reader_roles.roles) as named (role)
    on conflict do nothing;
    perform pgtrail._record_act('readers.set', null, jsonb_build_object('roles', set_reader_roles.roles));
end;
$$;

revoke all on function pgtrail.set_reader_roles from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail.set_reader_roles is
    'Sets which roles of pgtrail.membership read the entries of their organisation. For the owner. Audited. Raises '
    '22023 (null).';

create or replace function pgtrail.maintain(as_of timestamptz default now())
    returns jsonb
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_trail regclass;
    v_check record;
    v_partitions int := 0;
    v_removed bigint;
    v_postponed bigint;
    v_defects bigint;
    v_result jsonb;
begin
    if not pg_try_advisory_xact_lock(hashtextextended('pgtrail.maintain', 0)) then
        return jsonb_build_object('skipped', 'another session is at it');
    end if;

    for v_trail in select registered.relation from pgtrail.trail as registered order by registered.trail_name loop
        v_partitions := v_partitions
            + pgtrail.ensure_partitions(v_trail, maintain.as_of, maintain.as_of + interval '13 months');
    end loop;
    v_result := jsonb_build_object(
        'partitions_created', v_partitions, 'tables_refreshed', pgtrail.refresh_tracking());

    select count(*) into v_defects from pgtrail.verify_slice();
    v_result := v_result || jsonb_build_object('defects', v_defects);
    perform pgtrail._set_alert(
        'log defects', case when v_defects > 0 then 'critical' else 'ok' end,
        jsonb_build_object('defects', v_defects, 'hint', 'run pgtrail.verify()'));

    -- After the verification, which takes its time: from the first drop on, others wait for this transaction to end.
    if not pgtrail._is_retention_enabled() then
        v_result := v_result || jsonb_build_object('retention', 'not enabled in this copy of the database');
    else
        select coalesce(sum(line.entries), 0)::bigint, count(*) filter (where line.method in ('failed', 'postponed'))
        into v_removed, v_postponed
        from pgtrail.apply_retention(least(maintain.as_of, clock_timestamp())) as line;
        v_result := v_result || jsonb_build_object('entries_removed', v_removed, 'purges_postponed', v_postponed);
    end if;

    update pgtrail.log as head set maintained_at = clock_timestamp() where head.log_id = 1;
    for v_check in
        select checked.check_name, checked.status, checked.detail
        from pgtrail.health() as checked
        where checked.check_name <> 'alerts'
    loop
        perform pgtrail._set_alert(
            v_check.check_name, v_check.status, jsonb_build_object('detail', v_check.detail));
    end loop;

    return v_result;
end;
$$;

revoke all on function pgtrail.maintain from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail.maintain is
    'Does the periodic work, once a day: partitions for 13 months ahead, refresh_tracking(), the verification of a '
    'slice of the log, retention, and alerts for what health() finds. Returns what it did: partitions_created, '
    'tables_refreshed, defects, entries_removed and purges_postponed, or why retention did not run. A call while '
    'another runs returns at once.';

-- Invoker: pg_cron runs a job as the role that scheduled it, which must be able to log in.
create or replace function pgtrail.schedule_jobs()
    returns table (job text, scheduler text, schedule text)
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_job record;
    v_has_cron boolean;
begin
    -- A role without USAGE may not even ask for the function.
    select exists (
        select from pg_catalog.pg_namespace as namespace
        where namespace.nspname = 'cron' and has_schema_privilege(namespace.oid, 'usage')
    ) into v_has_cron;
    if v_has_cron then
        v_has_cron := to_regprocedure('cron.schedule(text,text,text)') is not null;
    end if;

    for v_job in
        select jobs.*
        from (values
            ('pgtrail_seal', '* * * * *', 'select pgtrail.seal()'),
            ('pgtrail_maintain', '17 3 * * *', 'select pgtrail.maintain()'),
            ('pgtrail_cron_cleanup', '47 3 * * *',
                'delete from cron.job_run_details where end_time < now() - interval ''7 days''')
        ) as jobs (name, schedule, command)
    loop
        job := v_job.name;
        schedule := v_job.schedule;
        scheduler := 'pgtrail worker';
        if v_has_cron then
            scheduler := 'pg_cron';
            -- A job of this name is replaced.
            execute 'select cron.schedule($1, $2, $3)' using v_job.name, v_job.schedule, v_job.command;
        elsif v_job.name = 'pgtrail_cron_cleanup' then
            continue;
        end if;
        return next;
    end loop;
end;
$$;

revoke all on function pgtrail.schedule_jobs from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail.schedule_jobs is
    'Schedules the periodic work with pg_cron, as the role that calls it: pgtrail_seal each minute, pgtrail_maintain '
    'daily, pgtrail_cron_cleanup. Can be run again. Without pg_cron it changes nothing and names pgtrail worker as the '
    'scheduler: run that, or call pgtrail.seal() and pgtrail.maintain() from any other.';

create or replace function pgtrail.decode_cursor(cursor text, context text)
    returns uuid
    language plpgsql immutable strict parallel safe
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_id uuid;
begin
    if decode_cursor.cursor ~ '^[A-Za-z0-9_-]{32}$' then
        v_id := encode(substr(decode(translate(decode_cursor.cursor, '-_', '+/'), 'base64'), 1, 16), 'hex')::uuid;
    end if;

    if v_id is null or pgtrail.encode_cursor(v_id, decode_cursor.context) <> decode_cursor.cursor then
        raise exception 'malformed cursor'
            using errcode = 'invalid_text_representation',
                  detail = 'It was altered, or it belongs to another function, organisation or filter.',
                  hint = 'Pass next_page of the last row unchanged, with the same organisation and filters.';
    end if;

    return v_id;
end;
$$;

revoke all on function pgtrail.decode_cursor from public, anon;
grant execute on function pgtrail.decode_cursor to authenticated, service_role, pgtrail_auditor;
comment on function pgtrail.decode_cursor is
    'Returns the id of the entry after which the page begins. Raises 22P02 for a cursor that was altered or '
    'belongs to another context.';

-- 16 bytes of id and 8 bytes of digest: 32 characters of base64url without padding.
-- The digest is no secret and needs none: every page checks again what its caller may read.
create or replace function pgtrail.encode_cursor(id uuid, context text)
    returns text
    language plpgsql immutable strict parallel safe
    set search_path = pg_catalog, pg_temp
as $$
begin
    return translate(
        encode(
            uuid_send(encode_cursor.id)
            || substr(sha256(uuid_send(encode_cursor.id) || convert_to(encode_cursor.context, 'UTF8')), 1, 8),
            'base64'),
        '+/', '-_');
end;
$$;

revoke all on function pgtrail.encode_cursor from public, anon;
grant execute on function pgtrail.encode_cursor to authenticated, service_role, pgtrail_auditor;
comment on function pgtrail.encode_cursor is
    'Returns the opaque cursor of the page that follows the given entry. context names the function, the organisation '
    'and the filters that the cursor belongs to.';

-- One function for every trail. The values are written into the query, so that it is planned for the partitions
-- between the bounds only, and with the index that serves the filters. A page reads the month in which it begins, then
-- the eight months before, and so on: planning for all partitions costs many times what most pages cost.
-- Costs of 0 let the number of rows alone decide: else, with few organisations or without statistics, the planner walks
-- the primary key, whose order fits the heap, and filters by organisation.
create or replace function pgtrail.page(
    rpc                 text,
    trail               regclass,
    organisation_column name,
    organisation_id     uuid,
    from_date           timestamptz,
    to_date             timestamptz,
    filters             jsonb,
    page                int,
    page_size           int,
    cursor              text
)
    returns table (id uuid, next_page text)
    language plpgsql stable rows 50
    set search_path = pg_catalog, pg_temp
    set jit = off set random_page_cost = 0 set seq_page_cost = 0 set cpu_operator_cost = 0
as $$
declare
    v_context text;
    v_conditions text;
    v_skipped bigint;
    v_from_id uuid;
    v_upper_id uuid;
    v_lower_id uuid;
    v_month timestamptz;
    v_months int := 1;
    v_found uuid[];
    v_ids uuid[] := '{}'::uuid[];
begin
    if page.organisation_id is null then
        raise exception 'p_organisation_id is required'
            using errcode = 'invalid_parameter_value',
                  hint = 'Name the organisation whose entries you want to read.';
    elsif (page.page_size between 1 and 200) is not true then
        raise exception 'p_page_size must be between 1 and 200'
            using errcode = 'invalid_parameter_value',
                  detail = format('got %s', coalesce(page.page_size::text, 'null')),
                  hint = 'Read on with p_cursor instead of a larger page.';
    elsif (page.page >= 1) is not true then
        raise exception 'p_page must be 1 or more'
            using errcode = 'invalid_parameter_value',
                  detail = format('got %s', coalesce(page.page::text, 'null')),
                  hint = 'Pages are numbered from 1.';
    elsif page.cursor is not null and page.page > 1 then
        raise exception 'p_page and p_cursor exclude each other'
            using errcode = 'invalid_parameter_value',
                  hint = 'A cursor already says where the page begins: leave p_page out.';
    end if;
    perform pgtrail.require_reader(page.organisation_id);

    v_context := (array[
        page.rpc, page.organisation_id::text, extract(epoch from page.from_date)::text,
        extract(epoch from page.to_date)::text, page.filters::text])::text;
    v_from_id := coalesce(pgtrail.uuid7_floor(page.from_date), pgtrail._least_id());
    -- Nothing is recorded that lies more than 5 minutes ahead; a day, in case the clock was put back.
    v_upper_id := least(
        coalesce(pgtrail.decode_cursor(page.cursor, v_context), pgtrail.uuid7_floor(page.to_date)),
        pgtrail.uuid7_floor(clock_timestamp() + interval '1 day'));
    v_skipped := (page.page - 1)::bigint * page.page_size;

    select coalesce(string_agg(format(' and %I = %L', filter.key, filter.value), ''), '') into v_conditions
    from jsonb_each_text(page.filters) as filter
    where filter.value is not null;

    v_month := date_trunc('month', least(pgtrail.uuid7_time(v_upper_id), clock_timestamp()), 'UTC');
    loop
        -- What is skipped has to be counted over the whole range.
        v_lower_id := case
            when v_skipped > 0 or v_months > 200 then v_from_id
            else greatest(pgtrail.uuid7_floor(v_month), v_from_id)
        end;
        execute format(
            'select array(select id from %s where %I = %L and id >= %L and id < %L%s '
            'order by id desc offset %s limit %s)',
            page.trail, page.organisation_column, page.organisation_id, v_lower_id, v_upper_id, v_conditions,
            v_skipped, page.page_size + 1 - cardinality(v_ids))
        into v_found;
        v_ids := v_ids || v_found;
        exit when cardinality(v_ids) > page.page_size or v_lower_id = v_from_id;
        v_upper_id := v_lower_id;
        v_months := v_months * 8;
        v_month := v_month - make_interval(months => v_months);
    end loop;

    return query
    select entry.id,
        case
            when entry.place = page.page_size and cardinality(v_ids) > page.page_size
                then pgtrail.encode_cursor(entry.id, v_context)
        end
    from unnest(v_ids[:page.page_size]) with ordinality as entry (id, place);
end;
$$;

revoke all on function pgtrail.page from public, anon;
grant execute on function pgtrail.page to authenticated, service_role, pgtrail_auditor;
comment on function pgtrail.page is
    'Returns the ids of one page of an organisation''s entries in a trail, newest first, and with the last of them the '
    'cursor of the next page, when there is one: what all paged RPCs share. Reads as the caller. rpc and filters, an '
    'object of columns and the values they must equal (null: any), bind the cursor. Raises 22023 for bad arguments, '
    '42501 when the caller may not read the organisation, 22P02 for a cursor that does not belong here.';

-- The leaf is found by its own hash, not by counting, so that it is found when its neighbours were purged.
create or replace function pgtrail._entry_leaf(
    trail_name     text,
    entry_id       uuid,
    out leaf_index bigint,
    out entry      bytea,
    out sealed     boolean
)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set jit = off
as $$
declare
    v_era smallint;
    v_tx_id xid8;
    v_batch pgtrail.batch;
    v_leaf bytea;
    v_found boolean;
begin
    sealed := false;
    execute format(
        'select true, row.era, row.tx_id from %s as row where row.id = $1',
        (
            select registered.relation
            from pgtrail.trail as registered
            where registered.trail_name = _entry_leaf.trail_name
        ))
    into v_found, v_era, v_tx_id
    using _entry_leaf.entry_id;
    if v_found is null then
        return;
    end if;

    select late.leaf_index into leaf_index
    from pgtrail.late_entry as late
    where late.trail_name = _entry_leaf.trail_name and late.entry_id = _entry_leaf.entry_id;

    if leaf_index is not null then
        select batch.* into v_batch
        from pgtrail.batch as batch
        where batch.log_id = 1 and batch.first_leaf <= _entry_leaf.leaf_index
        order by batch.first_leaf desc
        limit 1;
    else
        select batch.* into v_batch
        from pgtrail.batch as batch
        where batch.log_id = 1
            and batch.era = v_era
            and (batch.to_tx_id, batch.to_trail_name, batch.to_entry_id)
                >= (v_tx_id, _entry_leaf.trail_name collate "C", _entry_leaf.entry_id)
        order by batch.to_tx_id, batch.to_trail_name, batch.to_entry_id
        limit 1;
    end if;
    if v_batch.first_leaf is null then
        return;
    end if;
    sealed := true;

    entry := pgtrail._entry_bytes(
        _entry_leaf.trail_name, _entry_leaf.entry_id,
        coalesce(pgtrail._sealed_version(v_batch.first_leaf, _entry_leaf.trail_name), 1::smallint));
    v_leaf := sha256('\x00'::bytea || entry);

    select tile.tile_index * 256 + (found.place - 1) / 32 into leaf_index
    from pgtrail.tile as tile
    cross join lateral (select position(v_leaf in tile.hashes) as place offset 0) as found
    where tile.log_id = 1
        and tile.level = 0
        and tile.tile_index between v_batch.first_leaf >> 8 and (v_batch.first_leaf + v_batch.entries - 1) >> 8
        and found.place % 32 = 1
    order by tile.tile_index
    limit 1;
end;
$$;

revoke all on function pgtrail._entry_leaf from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._entry_leaf is
    'Finds the leaf of an entry. sealed: its batch exists. leaf_index is null when the entry does not exist, is not '
    'sealed, or is not in the log as it is now; entry is its encoding.';

create or replace function pgtrail._require_tree_size(tree_size bigint, newest bigint)
    returns void
    language plpgsql immutable
    set search_path = pg_catalog, pg_temp
as $$
begin
    if (_require_tree_size.tree_size between 0 and _require_tree_size.newest) is not true then
        raise exception 'the log never had this size'
            using errcode = 'invalid_parameter_value',
                  detail = format('got %s, the log has %s leaves', coalesce(_require_tree_size.tree_size::text, 'null'),
                                  _require_tree_size.newest),
                  hint = 'When a published checkpoint is larger than the log, entries were lost.';
    end if;
end;
$$;

revoke all on function pgtrail._require_tree_size from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._require_tree_size is 'Raises 22023 unless tree_size lies between 0 and newest.';

create or replace function pgtrail.checkpoint(tree_size bigint default null)
    returns text
    language plpgsql stable security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_log pgtrail.log;
    v_size bigint;
begin
    select head.* into strict v_log from pgtrail.log as head where head.log_id = 1;
    v_size := coalesce(checkpoint.tree_size, v_log.tree_size);
    perform pgtrail._require_tree_size(v_size, v_log.tree_size);

    return v_log.origin || E'\n' || v_size || E'\n'
        || encode(
            case when v_size = v_log.tree_size then v_log.root else pgtrail._range_hash(v_log.log_id, 0, v_size) end,
            'base64')
        || E'\n';
end;
$$;

revoke all on function pgtrail.checkpoint from public, anon, authenticated, service_role;
grant execute on function pgtrail.checkpoint to pgtrail_auditor;
comment on function pgtrail.checkpoint is
    'Returns the body of the checkpoint of a size of the tree, by default the present one (C2SP tlog-checkpoint): '
    'origin, size, base64 of the root hash, a line each. To be signed outside the database. Raises 22023 for a size '
    'the tree never had.';

create or replace function pgtrail.consistency_proof(from_size bigint, to_size bigint default null)
    returns bytea[]
    language plpgsql stable security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_log pgtrail.log;
    v_low bigint := 0::bigint;
    v_high bigint;
    v_middle bigint;
    v_whole boolean := true;
    v_hashes bytea[] := '{}'::bytea[];
begin
    select head.* into strict v_log from pgtrail.log as head where head.log_id = 1;
    v_high := coalesce(consistency_proof.to_size, v_log.tree_size);
    perform pgtrail._require_tree_size(v_high, v_log.tree_size);
    perform pgtrail._require_tree_size(consistency_proof.from_size, v_high);

    if consistency_proof.from_size in (0, v_high) then
        return v_hashes;
    end if;
    while consistency_proof.from_size < v_high loop
        v_middle := v_low + pgtrail._left_subtree_size(v_high - v_low);
        if consistency_proof.from_size <= v_middle then
            v_hashes := pgtrail._range_hash(v_log.log_id, v_middle, v_high) || v_hashes;
            v_high := v_middle;
        else
            v_hashes := pgtrail._range_hash(v_log.log_id, v_low, v_middle) || v_hashes;
            v_low := v_middle;
            v_whole := false;
        end if;
    end loop;
    return case
        when v_whole then v_hashes
        else pgtrail._range_hash(v_log.log_id, v_low, v_high) || v_hashes
    end;
end;
$$;

revoke all on function pgtrail.consistency_proof from public, anon, authenticated, service_role;
grant execute on function pgtrail.consistency_proof to pgtrail_auditor;
comment on function pgtrail.consistency_proof is
    'Returns PROOF(from_size, D[to_size]) of RFC 6962, section 2.1.2: that the tree of from_size leaves is a prefix '
    'of that of to_size, by default the present one. Empty for from_size 0 and for equal sizes. Raises 22023 for '
    'sizes the tree never had.';

-- The settings are those with which entries are encoded: a value is the text that was hashed.
create or replace function pgtrail.entry_columns(trail regclass, id uuid, version int)
    returns table (
        column_name name,
        is_time     boolean,
        is_hashed   boolean,
        value       text,
        salt        bytea
    )
    language plpgsql stable security definer
    set search_path = pg_catalog, pg_temp
    set timezone = 'UTC' set datestyle = 'ISO, MDY' set intervalstyle = 'iso_8601' set extra_float_digits = 1
    set bytea_output = 'hex'
as $$
declare
    v_trail_name text := pgtrail.trail_name(entry_columns.trail);
    v_salt text;
begin
    for column_name, is_time, is_hashed, v_salt in
        select part.name,
            coalesce(
                coalesce(nullif(type.typbasetype, 0), type.oid) in ('timestamptz'::regtype, 'timestamp'::regtype),
                false),
            part.name = any (format.erasable || format.digested),
            case
                when attribute.attname is null then null
                when part.name = any (format.erasable) then pgtrail._kept_salt_expression(v_trail_name, part.name)
                when part.name = any (format.digested) then '''''::bytea'
            end
        from pgtrail.entry_format as format
        cross join lateral unnest(format.columns) with ordinality as part (name, place)
        left join pg_catalog.pg_attribute as attribute
            on attribute.attrelid = entry_columns.trail
            and attribute.attname = part.name
            and not attribute.attisdropped
        left join pg_catalog.pg_type as type on type.oid = attribute.atttypid
        where format.trail_name = v_trail_name and format.version = entry_columns.version
        order by part.place
    loop
        value := null;
        salt := null;
        if v_salt is not null then
            execute array_to_string(array[
                format('select entry.%I::text,', column_name), v_salt,
                'from', entry_columns.trail::text, 'as entry where entry.id = $1'
            ], ' ')
            into value, salt
            using entry_columns.id;
        end if;
        return next;
    end loop;
end;
$$;

revoke all on function pgtrail.entry_columns from public, anon, authenticated, service_role;
grant execute on function pgtrail.entry_columns to pgtrail_auditor;
comment on function pgtrail.entry_columns is
    'Returns the columns of an entry in a version of its format, in the order in which the entry holds them. Of those '
    'that it holds hashed (is_hashed), value and salt are the text and the bytes that lead to the hash, null where '
    'nothing is or nothing is left. is_time: the entry holds microseconds since 1970. Raises 22023.';

create or replace function pgtrail.inclusion_proof(trail regclass, id uuid, tree_size bigint default null)
    returns table (leaf_index bigint, proof_tree_size bigint, hashes bytea[], entry bytea)
    language plpgsql stable security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_log pgtrail.log;
    v_trail text := pgtrail.trail_name(inclusion_proof.trail);
    v_found record;
begin
    select head.* into strict v_log from pgtrail.log as head where head.log_id = 1;
    proof_tree_size := coalesce(inclusion_proof.tree_size, v_log.tree_size);
    perform pgtrail._require_tree_size(proof_tree_size, v_log.tree_size);

    select found.leaf_index, found.entry, found.sealed into v_found
    from pgtrail._entry_leaf(v_trail, inclusion_proof.id) as found;
    if v_found.leaf_index is null and v_found.sealed then
        raise exception 'the entry is not in the log as it is now'
            using errcode = 'TR003',
                  detail = format('entry %s of %s', inclusion_proof.id, v_trail),
                  hint = 'It was altered, or inserted behind the log. Run pgtrail.verify().';
    elsif v_found.leaf_index is null or v_found.leaf_index >= proof_tree_size then
        raise exception 'the entry is not in a tree of this size'
            using errcode = 'PT404',
                  detail = format('entry %s of %s, tree size %s', inclusion_proof.id, v_trail, proof_tree_size),
                  hint = 'A new entry is sealed within a minute or, while older transactions are open, after them.';
    end if;

    leaf_index := v_found.leaf_index;
    entry := v_found.entry;
    hashes := pgtrail._inclusion_hashes(v_log.log_id, v_found.leaf_index, proof_tree_size);
    return next;
end;
$$;

revoke all on function pgtrail.inclusion_proof from public, anon, authenticated, service_role;
grant execute on function pgtrail.inclusion_proof to pgtrail_auditor;
comment on function pgtrail.inclusion_proof is
    'Returns the proof that an entry is in the tree of a size, by default the present one (RFC 6962, section '
    '2.1.1): index of its leaf, siblings from the leaf up, and the bytes whose hash the leaf is. Raises PT404 (no '
    'such entry, or not in that tree), TR003 (the entry does not match the log), 22023 (no trail, or a size the '
    'tree never had).';

create or replace function pgtrail.published_checkpoints()
    returns table (tree_size bigint, note text, published_at timestamptz)
    language plpgsql stable security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select published.tree_size, published.note, published.published_at
    from pgtrail.published_checkpoint as published
    join pgtrail.log as head on head.log_id = published.log_id and head.origin = published.origin
    where published.log_id = 1
    order by published.tree_size desc;
end;
$$;

revoke all on function pgtrail.published_checkpoints from public, anon, authenticated, service_role;
grant execute on function pgtrail.published_checkpoints to pgtrail_auditor;
comment on function pgtrail.published_checkpoints is
    'Returns the signed checkpoints of the present origin, the largest tree first: what record_published_checkpoint() '
    'keeps.';

create or replace function pgtrail.record_published_checkpoint(note text)
    returns void
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_body text := split_part(record_published_checkpoint.note, E'\n\n', 1);
    v_lines text[] := string_to_array(v_body, E'\n');
    v_signatures text;
    v_origin text;
    v_root bytea;
begin
    v_signatures := substr(record_published_checkpoint.note, length(v_body) + 3);
    if cardinality(v_lines) < 3
        or v_lines[2] !~ '^(0|[1-9][0-9]{0,17})$'
        or v_lines[3] !~ '^[A-Za-z0-9+/]{43}=$'
        or coalesce(v_signatures, '') !~ '^(— [^\s+]+ [A-Za-z0-9+/]+=*\n)+$'
    then
        raise exception 'malformed signed checkpoint'
            using errcode = 'invalid_text_representation',
                  hint = 'Pass the signed note unchanged (C2SP signed-note over tlog-checkpoint).';
    end if;

    select head.origin into strict v_origin from pgtrail.log as head where head.log_id = 1;
    v_root := decode(v_lines[3], 'base64');
    if v_lines[1] <> v_origin then
        raise exception 'the checkpoint is of another origin'
            using errcode = 'TR003',
                  detail = format('got %s, the log is %s', v_lines[1], v_origin),
                  hint = 'Record it in the database whose log it is.';
    elsif not pgtrail.verify_checkpoint(v_lines[2]::bigint, v_root) then
        raise exception 'the checkpoint does not fit the log'
            using errcode = 'TR003',
                  detail = format('size %s', v_lines[2]),
                  hint = 'The log was rewritten or lost its end. Run pgtrail.verify().';
    end if;

    -- Signatures that are new are added to those that are there.
    insert into pgtrail.published_checkpoint as published (log_id, origin, tree_size, root, note)
    values (1, v_origin, v_lines[2]::bigint, v_root, record_published_checkpoint.note)
    on conflict on constraint published_checkpoint_pkey do update
    set note = published.note || coalesce(
        (
            select string_agg(line.text || E'\n', '' order by line.place)
            from regexp_split_to_table(rtrim(v_signatures, E'\n'), E'\n') with ordinality as line (text, place)
            where position(line.text || E'\n' in published.note) = 0
        ),
        '');
end;
$$;

revoke all on function pgtrail.record_published_checkpoint
    from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail.record_published_checkpoint is
    'Keeps a signed checkpoint of the present origin; sent again with more signatures, these are added. The signatures '
    'themselves are checked by who trusts their keys, not here. Raises 22P02 (no signed checkpoint), TR003 (of another '
    'origin, or it does not fit the log).';

create or replace function pgtrail.start_new_origin(reason text, origin text default null)
    returns text
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_log pgtrail.log;
    v_origin text;
begin
    select head.* into strict v_log from pgtrail.log as head where head.log_id = 1 for update;
    v_origin := coalesce(
        start_new_origin.origin,
        regexp_replace(v_log.origin, '/[0-9]+$', '') || '/'
            || (select count(*) + 1 from pgtrail.origin as used where used.log_id = v_log.log_id));

    if coalesce(start_new_origin.reason, '') = '' then
        raise exception 'a reason is required'
            using errcode = 'invalid_parameter_value',
                  hint = 'Say what auditors should know, such as: point-in-time recovery to 2026-11-20 08:00.';
    elsif v_origin !~ '^[^\s+]{1,200}$' then
        raise exception 'an origin has 1 to 200 characters, no space and no plus'
            using errcode = 'invalid_parameter_value',
                  detail = format('got "%s"', v_origin),
                  hint = 'Use a name like audit.example.org/app.';
    elsif exists (select from pgtrail.origin as used where used.origin = v_origin) then
        raise exception 'the log has had this origin already'
            using errcode = 'unique_violation',
                  detail = format('got "%s"', v_origin),
                  hint = 'An origin is never used again: two different histories would carry its name.';
    end if;

    insert into pgtrail.origin (log_id, from_size, origin, reason)
    values (v_log.log_id, v_log.tree_size, v_origin, start_new_origin.reason);
    update pgtrail.log as head set origin = v_origin where head.log_id = v_log.log_id;
    return v_origin;
end;
$$;

revoke all on function pgtrail.start_new_origin from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail.start_new_origin is
    'Continues the log under a new origin and returns it: after a point-in-time recovery, when published '
    'checkpoints no longer fit, or to give the log its first name. By default the old origin with a number. Raises '
    '22023 (reason or origin), 23505 (used before).';

create or replace function pgtrail.tlog_proof(trail regclass, id uuid, signed_checkpoint text)
    returns text
    language plpgsql stable security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_size text := split_part(tlog_proof.signed_checkpoint, E'\n', 2);
    v_proof record;
begin
    if (v_size ~ '^(0|[1-9][0-9]{0,17})$') is not true then
        raise exception 'malformed checkpoint'
            using errcode = 'invalid_text_representation',
                  detail = format('its second line is "%s", not a size', v_size),
                  hint = 'Pass the text of a signed checkpoint unchanged (C2SP tlog-checkpoint).';
    end if;
    if split_part(tlog_proof.signed_checkpoint, E'\n', 3)
        is distinct from split_part(pgtrail.checkpoint(v_size::bigint), E'\n', 3)
    then
        raise exception 'the checkpoint does not fit the log'
            using errcode = 'TR003',
                  detail = format('size %s has another root hash', v_size),
                  hint = 'The log was rewritten, or the checkpoint is of another log.';
    end if;
    select proof.* into strict v_proof
    from pgtrail.inclusion_proof(tlog_proof.trail, tlog_proof.id, v_size::bigint) as proof;

    return E'c2sp.org/tlog-proof@v1\nindex ' || v_proof.leaf_index || E'\n'
        || coalesce(
            (
                select string_agg(encode(sibling.hash, 'base64') || E'\n', '' order by sibling.place)
                from unnest(v_proof.hashes) with ordinality as sibling (hash, place)
            ),
            '')
        || E'\n' || tlog_proof.signed_checkpoint;
end;
$$;

revoke all on function pgtrail.tlog_proof from public, anon, authenticated, service_role;
grant execute on function pgtrail.tlog_proof to pgtrail_auditor;
comment on function pgtrail.tlog_proof is
    'Returns the proof of an entry over a signed checkpoint as one text (c2sp.org/tlog-proof@v1). Raises 22P02 (not '
    'a checkpoint), TR003 (it does not fit the log, or the entry does not match it), PT404 (the entry is not in '
    'that tree).';

-- The door for removal. It belongs to pgtrail_purger, whom the guards let through; nobody else may call it.
create or replace function pgtrail._delete_entries(relation regclass, entry_ids uuid[])
    returns bigint
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_deleted bigint;
begin
    execute format('delete from %s where id = any ($1)', _delete_entries.relation)
    using _delete_entries.entry_ids;
    get diagnostics v_deleted = row_count;
    if v_deleted <> cardinality(_delete_entries.entry_ids) then
        raise exception 'a purge must remove what is due, no more and no less'
            using errcode = 'data_corrupted',
                  detail = format('%s entries were due, %s removed', cardinality(_delete_entries.entry_ids), v_deleted),
                  hint = 'Nothing was removed. Run pgtrail.verify(), and pgtrail doctor for the policies of the table.';
    end if;
    return v_deleted;
end;
$$;

alter function pgtrail._delete_entries owner to pgtrail_purger;
revoke all on function pgtrail._delete_entries from public, anon, authenticated, service_role, pgtrail_auditor;
grant execute on function pgtrail._delete_entries to pgtrail_owner;
comment on function pgtrail._delete_entries is
    'Removes entries of a trail, all of them or none. Raises XX001 when it would remove other than was asked.';

create or replace function pgtrail._drop_due_partitions(partitions jsonb, dry_run boolean)
    returns pgtrail.purge_line[]
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
    set timezone = 'UTC'
as $$
declare
    -- A run may keep readers and writers of a trail waiting for this long.
    c_longest_wait constant text := '500ms';
    v_lock_timeout text := current_setting('lock_timeout');
    v_tried_at timestamptz;
    v_locked_at timestamptz;
    v_part record;
    v_lines pgtrail.purge_line[] := '{}'::pgtrail.purge_line[];
begin
    for v_part in
        select part.*
        from jsonb_to_recordset(_drop_due_partitions.partitions) as part (
            trail_name text, partition regclass, month timestamptz, organisations jsonb)
    loop
        -- One failure never stops the others: it is part of the result.
        begin
            if not _drop_due_partitions.dry_run then
                v_tried_at := clock_timestamp();
                -- Who has others waiting does not wait for long itself.
                perform set_config(
                    'lock_timeout', case when v_locked_at is null then c_longest_wait else '50ms' end, true);
                perform pgtrail._drop_partition(v_part.trail_name, v_part.partition, v_part.month);
                v_locked_at := coalesce(v_locked_at, v_tried_at);
            end if;
            v_lines := v_lines || pgtrail._dropped_lines(v_part.trail_name, v_part.month, v_part.organisations);
        exception
            when others then
                v_lines := v_lines || pgtrail._refused_purge(v_part.trail_name, v_part.month, sqlstate);
        end;
        perform set_config('lock_timeout', v_lock_timeout, true);
        exit when clock_timestamp() > v_locked_at + c_longest_wait::interval;
    end loop;
    return v_lines;
end;
$$;

revoke all on function pgtrail._drop_due_partitions from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._drop_due_partitions is
    'Drops partitions, given as rows of _due_partitions(), until half a second has passed since the first drop, from '
    'which on others wait for its trail; a dry run drops none. Returns what became of each.';

create or replace function pgtrail._drop_partition(trail_name text, partition regclass, month timestamptz)
    returns bigint
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
    set timezone = 'UTC'
as $$
declare
    -- Its name while it has one: a profiler may look at the statement again when it is gone.
    v_table text := _drop_partition.partition::text;
    v_sealed bigint;
    v_counted bigint;
begin
    select coalesce(sum(content.entries - content.purged), 0)::bigint into v_sealed
    from pgtrail.batch_content as content
    where content.trail_name = _drop_partition.trail_name and content.month = _drop_partition.month::date;
    delete from pgtrail.rollup as rollup
    where rollup.trail_name = _drop_partition.trail_name
        and rollup.unit = 'hour'
        and rollup.starts_at >= _drop_partition.month
        and rollup.starts_at < _drop_partition.month + interval '1 month';
    with gone as (
        delete from pgtrail.rollup as rollup
        where rollup.trail_name = _drop_partition.trail_name
            and rollup.unit = 'month'
            and rollup.starts_at = _drop_partition.month
        returning rollup.entries
    )
    select coalesce(sum(gone.entries), 0)::bigint into v_counted from gone;
    if v_sealed <> v_counted then
        raise exception 'a purge must remove what is due, no more and no less'
            using errcode = 'data_corrupted',
                  detail = format('the log has %s entries of this month, the summaries %s', v_sealed, v_counted),
                  hint = 'Nothing was removed. Run pgtrail.verify() and pgtrail.verify_rollups().';
    end if;

    update pgtrail.batch_content as content
    set purged = content.entries
    where content.trail_name = _drop_partition.trail_name
        and content.month = _drop_partition.month::date
        and content.purged < content.entries;
    execute array_to_string(array['drop table', v_table], ' ');
    return v_sealed;
end;
$$;

revoke all on function pgtrail._drop_partition from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._drop_partition is
    'Drops a month''s partition of a trail, with its counts, and tells the log that its entries were purged. Returns '
    'how many they were. Raises XX001 when log and counts do not agree, 55P03 when somebody keeps it waiting.';

create or replace function pgtrail._dropped_lines(trail_name text, month timestamptz, organisations jsonb)
    returns pgtrail.purge_line[]
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set timezone = 'UTC'
as $$
begin
    return coalesce(
        (
            select array_agg(row(
                _dropped_lines.trail_name, due.organisation_id, due.entries, 'drop',
                format('%s is past %s', to_char(_dropped_lines.month, 'YYYY-MM'), due.keep))::pgtrail.purge_line)
            from jsonb_to_recordset(_dropped_lines.organisations)
                as due (organisation_id uuid, keep interval, entries bigint)
        ),
        array[row(
            _dropped_lines.trail_name, null, 0, 'drop',
            format('%s is empty and past the policy of the trail', to_char(_dropped_lines.month, 'YYYY-MM'))
        )::pgtrail.purge_line]);
end;
$$;

revoke all on function pgtrail._dropped_lines from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._dropped_lines is
    'Returns the lines of a month that is dropped as a whole: one an organisation, or one when it is empty.';

create or replace function pgtrail._due_entries_query(
    trail_name      text,
    organisation_id uuid,
    month           timestamptz,
    due_before      timestamptz
)
    returns text
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_trail pgtrail.trail;
begin
    select registered.* into strict v_trail
    from pgtrail.trail as registered
    where registered.trail_name = _due_entries_query.trail_name;

    return array_to_string(array[
        format('select entry.id, entry.era, entry.tx_id from %s as entry', v_trail.relation),
        'where ' || pgtrail._organisation_condition(_due_entries_query.trail_name, _due_entries_query.organisation_id),
        format('and entry.id >= %L', pgtrail.uuid7_floor(_due_entries_query.month)),
        format('and entry.id < %L', pgtrail.uuid7_floor(
            least(_due_entries_query.month + interval '1 month', _due_entries_query.due_before))),
        format('and entry.recorded_at < %L', _due_entries_query.due_before),
        'and not (' || pgtrail._unsealed_condition(_due_entries_query.trail_name) || ')',
        format('and not exists (select from pgtrail.unsealable_entry as listed '
               'where listed.trail_name = %L and listed.entry_id = entry.id)', _due_entries_query.trail_name),
        case when exists (select from pgtrail.legal_hold as hold where hold.released_at is null) then
            format('and not pgtrail._is_held(%L, %L, entry.%I)',
                   _due_entries_query.trail_name, _due_entries_query.organisation_id, v_trail.time_column) end
    ], ' ');
end;
$$;

revoke all on function pgtrail._due_entries_query from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._due_entries_query is
    'Returns the query of an organisation''s entries of a month that may be removed: older than due_before by event '
    'and by recording, sealed, and not held.';

-- This is asked each day: it is answered from the counts, which have a row a month and organisation, and only those old
-- enough for a policy.
create or replace function pgtrail._due_months(trail_name text, as_of timestamptz)
    returns table (
        month           timestamptz,
        organisation_id uuid,
        keep            interval,
        entries         bigint,
        last_at         timestamptz
    )
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set timezone = 'UTC'
as $$
begin
    -- These are two queries, so that each has an index of its own.
    return query
    select rollup.starts_at, rollup.organisation_id, policy.keep, sum(rollup.entries)::bigint, max(rollup.last_at)
    from (
        select own.organisation_id, greatest(own.keep, setting.keep_at_least) as keep
        from pgtrail.retention_policy as own
        cross join pgtrail.retention_setting as setting
        where own.trail_name = _due_months.trail_name and own.organisation_id is not null and own.keep is not null
        offset 0
    ) as policy
    join pgtrail.rollup as rollup
        on rollup.trail_name = _due_months.trail_name
        and rollup.organisation_id = policy.organisation_id
        and rollup.unit = 'month'
        and rollup.starts_at < _due_months.as_of - policy.keep
    group by rollup.starts_at, rollup.organisation_id, policy.keep;

    return query
    select rollup.starts_at, rollup.organisation_id, policy.keep, sum(rollup.entries)::bigint, max(rollup.last_at)
    from (
        select common.trail_name, greatest(common.keep, setting.keep_at_least) as keep
        from pgtrail.retention_policy as common
        cross join pgtrail.retention_setting as setting
        where common.trail_name = _due_months.trail_name and common.organisation_id is null and common.keep is not null
        offset 0
    ) as policy
    join pgtrail.rollup as rollup
        on rollup.trail_name = _due_months.trail_name
        and rollup.unit = 'month'
        and rollup.starts_at < _due_months.as_of - policy.keep
    where not exists (
        select
        from pgtrail.retention_policy as own
        where own.trail_name = _due_months.trail_name and own.organisation_id = rollup.organisation_id)
    group by rollup.starts_at, rollup.organisation_id, policy.keep;
end;
$$;

revoke all on function pgtrail._due_months from public, anon, authenticated, service_role;
grant execute on function pgtrail._due_months to pgtrail_auditor;
comment on function pgtrail._due_months is
    'Returns the months of organisations in which something may be past its policy, or the floor, at as_of: the '
    'month began before as_of - keep. entries and last_at are what is counted of the whole month.';

create or replace function pgtrail._due_partitions(as_of timestamptz)
    returns table (
        trail_name    text,
        relation      regclass,
        partition     regclass,
        month         timestamptz,
        organisations jsonb
    )
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set timezone = 'UTC'
as $$
begin
    return query
    select registered.trail_name, registered.relation, part.partition, part.month,
        coalesce(due.organisations, '[]'::jsonb)
    from pgtrail.trail as registered
    cross join lateral pgtrail._monthly_partitions(registered.relation) as part
    left join (
        select one.trail_name, old.month,
            jsonb_agg(to_jsonb(old) order by old.organisation_id) as organisations
        from pgtrail.trail as one
        cross join lateral pgtrail._due_months(one.trail_name, _due_partitions.as_of) as old
        group by one.trail_name, old.month
    ) as due on due.trail_name = registered.trail_name and due.month = part.month
    where due.organisations is not null
        -- Or the partition is empty.
        or part.month + interval '1 month'
            <= _due_partitions.as_of - pgtrail._retention_period(registered.trail_name, null)
    order by registered.trail_name, part.month;
end;
$$;

revoke all on function pgtrail._due_partitions from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._due_partitions is
    'Returns the partitions in which something may be past its policy at as_of, or that are empty and past that of the '
    'trail, with the rows of _due_months() as JSON.';

create or replace function pgtrail._is_held(trail_name text, organisation_id uuid, at timestamptz)
    returns boolean
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
begin
    return exists (
        select from pgtrail.legal_hold as hold
        where hold.released_at is null
            and (hold.organisation_id is null or hold.organisation_id = _is_held.organisation_id)
            and (hold.trail_name is null or hold.trail_name = _is_held.trail_name)
            and (hold.from_at is null or hold.from_at <= _is_held.at)
            and (hold.to_at is null or hold.to_at > _is_held.at)
    );
end;
$$;

revoke all on function pgtrail._is_held from public, anon, authenticated, service_role;
grant execute on function pgtrail._is_held to pgtrail_auditor;
comment on function pgtrail._is_held is 'Tells whether a legal hold covers an event of an organisation in a trail.';

-- It is answered from what sealing has written down, without a look at the entries: no entry is recorded after it is
-- sealed.
create or replace function pgtrail._is_partition_due(
    trail_name text,
    partition  regclass,
    month      timestamptz,
    as_of      timestamptz
)
    returns boolean
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set timezone = 'UTC'
as $$
declare
    v_end timestamptz := _is_partition_due.month + interval '1 month';
    v_found boolean;
begin
    -- An organisation may keep something longer; for one that comes later, the policy of the trail counts.
    if exists (
        select
        from pgtrail.rollup as rollup
        where rollup.trail_name = _is_partition_due.trail_name
            and rollup.unit = 'month'
            and rollup.starts_at = _is_partition_due.month
            and (
                v_end <= _is_partition_due.as_of
                    - pgtrail._retention_period(_is_partition_due.trail_name, rollup.organisation_id)
                and (
                    select max(batch.sealed_at)
                    from pgtrail.batch_content as content
                    join pgtrail.batch as batch
                        on batch.log_id = content.log_id and batch.first_leaf = content.first_leaf
                    where content.trail_name = _is_partition_due.trail_name
                        and content.month = _is_partition_due.month::date
                ) < _is_partition_due.as_of
                    - pgtrail._retention_period(_is_partition_due.trail_name, rollup.organisation_id)
            ) is not true
    ) then
        return false;
    end if;

    if exists (
        select
        from pgtrail.legal_hold as hold
        where hold.released_at is null
            and (hold.trail_name is null or hold.trail_name = _is_partition_due.trail_name)
            and (hold.from_at is null or hold.from_at < v_end)
            and (hold.to_at is null or hold.to_at > _is_partition_due.month)
            and (hold.organisation_id is null or exists (
                select
                from pgtrail.rollup as rollup
                where rollup.trail_name = _is_partition_due.trail_name
                    and rollup.organisation_id = hold.organisation_id
                    and rollup.unit = 'month'
                    and rollup.starts_at = _is_partition_due.month))
    ) then
        return false;
    end if;

    -- An empty partition was prepared for a backfill, unless the trail's own policy says that nothing stays there.
    if not exists (
        select from pgtrail.rollup as rollup
        where rollup.trail_name = _is_partition_due.trail_name
            and rollup.unit = 'month'
            and rollup.starts_at = _is_partition_due.month
    ) and (
        v_end <= _is_partition_due.as_of - pgtrail._retention_period(_is_partition_due.trail_name, null)
    ) is not true then
        return false;
    end if;

    execute array_to_string(array[
        format('select exists (select from %s as entry where', _is_partition_due.partition),
        pgtrail._unsealed_condition(_is_partition_due.trail_name),
        format(') or exists (select from pgtrail.unsealable_entry as listed '
               'join %s as entry on entry.id = listed.entry_id', _is_partition_due.partition),
        format('where listed.trail_name = %L)', _is_partition_due.trail_name)
    ], ' ')
    into v_found;
    return not v_found;
end;
$$;

revoke all on function pgtrail._is_partition_due from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._is_partition_due is
    'Tells whether a month''s partition of a trail may be dropped as a whole: everything in it is past its policy, '
    'sealed and not held.';

create or replace function pgtrail._is_retention_enabled()
    returns boolean
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
begin
    return exists (
        select
        from pgtrail.retention_setting as setting
        join pg_control_system() as control on control.system_identifier = setting.system_identifier
        join pg_catalog.pg_database as database on database.oid = setting.database_oid
        where database.datname = current_database()
    );
end;
$$;

revoke all on function pgtrail._is_retention_enabled from public, anon, authenticated, service_role;
grant execute on function pgtrail._is_retention_enabled to pgtrail_auditor;
comment on function pgtrail._is_retention_enabled is
    'Tells whether this is the database in which retention was enabled, not a copy of it.';

create or replace function pgtrail._overdue_month_count(as_of timestamptz)
    returns bigint
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set jit = off
as $$
begin
    return (
        select count(*)
        from pgtrail.trail as registered
        cross join lateral pgtrail._due_months(registered.trail_name, _overdue_month_count.as_of) as due
        where due.month + interval '1 month' < _overdue_month_count.as_of - due.keep
            and due.last_at < _overdue_month_count.as_of - due.keep
            and not pgtrail._is_held(registered.trail_name, due.organisation_id, due.month)
            and not pgtrail._is_held(registered.trail_name, due.organisation_id, due.last_at)
            and not exists (
                select
                from pgtrail.batch_content as content
                join pgtrail.batch as batch on batch.log_id = 1 and batch.first_leaf = content.first_leaf
                where content.trail_name = registered.trail_name
                    and content.month = (due.month at time zone 'UTC')::date
                    and batch.sealed_at > _overdue_month_count.as_of - due.keep)
    );
end;
$$;

revoke all on function pgtrail._overdue_month_count from public, anon, authenticated, service_role;
grant execute on function pgtrail._overdue_month_count to pgtrail_auditor;
comment on function pgtrail._overdue_month_count is
    'Counts the months of organisations that were wholly past their policy at as_of, and not held, and that still have '
    'entries.';

create or replace function pgtrail._purge_entries(
    trail_name      text,
    organisation_id uuid,
    month           timestamptz,
    due_before      timestamptz,
    max_entries     int
)
    returns bigint
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
    set timezone = 'UTC' set jit = off
as $$
declare
    v_relation regclass;
    v_ids uuid[];
begin
    select registered.relation into strict v_relation
    from pgtrail.trail as registered
    where registered.trail_name = _purge_entries.trail_name;

    -- The log must know which batch each lies in, before it is gone.
    execute array_to_string(array[
        'with due as materialized (',
        pgtrail._due_entries_query(
            _purge_entries.trail_name, _purge_entries.organisation_id, _purge_entries.month, _purge_entries.due_before),
        $query$
            order by entry.id
            limit $3
        ),
        counted as (
            select batch.first_leaf, count(*) as entries
            from due
            left join pgtrail.late_entry as late on late.trail_name = $1 and late.entry_id = due.id
            cross join lateral (
                select found.first_leaf
                from pgtrail.batch as found
                where late.leaf_index is null
                    and found.log_id = 1
                    and found.era = due.era
                    and (found.to_tx_id, found.to_trail_name, found.to_entry_id) >= (due.tx_id, $1 collate "C", due.id)
                order by found.to_tx_id, found.to_trail_name, found.to_entry_id
                limit 1
            ) as batch
            group by batch.first_leaf
            union all
            select batch.first_leaf, count(*)
            from due
            join pgtrail.late_entry as late on late.trail_name = $1 and late.entry_id = due.id
            cross join lateral (
                select max(found.first_leaf) as first_leaf
                from pgtrail.batch as found
                where found.log_id = 1 and found.first_leaf <= late.leaf_index
            ) as batch
            group by batch.first_leaf
        ),
        marked as (
            update pgtrail.batch_content as content
            set purged = content.purged + counted.entries
            from (select first_leaf, sum(entries)::int as entries from counted group by first_leaf) as counted
            where content.log_id = 1
                and content.first_leaf = counted.first_leaf
                and content.trail_name = $1
                and content.month = $2
            returning counted.entries
        )
        select coalesce((select array_agg(id) from due), '{}'::uuid[])
        where (select count(*) from due) = (select coalesce(sum(entries), 0) from marked)
        $query$
    ], ' ')
    into v_ids
    using _purge_entries.trail_name, _purge_entries.month::date, _purge_entries.max_entries;
    if v_ids is null then
        raise exception 'a purge must remove what is due, no more and no less'
            using errcode = 'data_corrupted',
                  detail = 'Some entries are in no batch of the log.',
                  hint = 'Nothing was removed. Run pgtrail.verify().';
    end if;

    if v_ids <> '{}'::uuid[] then
        perform pgtrail._delete_entries(v_relation, v_ids);
    end if;
    return cardinality(v_ids)::bigint;
end;
$$;

revoke all on function pgtrail._purge_entries from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._purge_entries is
    'Removes up to max_entries of an organisation''s entries of a month that are older than due_before, and tells the '
    'log that they were purged. Returns how many. Raises XX001 when it cannot remove all of them.';

create or replace function pgtrail._purge_organisations(
    trail_name    text,
    relation      regclass,
    month         timestamptz,
    organisations jsonb,
    as_of         timestamptz,
    dry_run       boolean,
    max_batches   int,
    batch_size    int,
    out lines     pgtrail.purge_line[],
    out batches   int
)
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
    set timezone = 'UTC' set jit = off
as $$
declare
    v_due record;
    v_found bigint;
    v_removed bigint;
begin
    lines := '{}'::pgtrail.purge_line[];
    batches := 0;
    for v_due in
        select due.organisation_id, due.keep, _purge_organisations.as_of - due.keep as due_before
        from jsonb_to_recordset(_purge_organisations.organisations) as due (organisation_id uuid, keep interval)
    loop
        v_found := 0;
        if _purge_organisations.dry_run then
            execute array_to_string(array['select count(*) from (', pgtrail._due_entries_query(
                _purge_organisations.trail_name, v_due.organisation_id, _purge_organisations.month, v_due.due_before),
                ') as due'], ' ')
            into v_found;
        else
            while batches < _purge_organisations.max_batches loop
                v_removed := pgtrail._purge_entries(
                    _purge_organisations.trail_name, v_due.organisation_id, _purge_organisations.month,
                    v_due.due_before, _purge_organisations.batch_size);
                v_found := v_found + v_removed;
                -- What holds keep back does not use up the batches.
                batches := batches + (v_removed > 0)::int;
                exit when v_removed < _purge_organisations.batch_size;
            end loop;
            if v_found > 0 then
                perform pgtrail.recount(
                    _purge_organisations.relation, _purge_organisations.month,
                    _purge_organisations.month + interval '1 month', v_due.organisation_id);
            end if;
        end if;
        if v_found > 0 then
            lines := lines || row(
                _purge_organisations.trail_name, v_due.organisation_id, v_found, 'delete',
                format('of %s, past %s', to_char(_purge_organisations.month, 'YYYY-MM'), v_due.keep)
            )::pgtrail.purge_line;
        end if;
    end loop;
end;
$$;

revoke all on function pgtrail._purge_organisations from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._purge_organisations is
    'Removes what is due in a month of a trail, organisation by organisation and in at most max_batches batches, or, '
    'as a dry run, counts it. Returns a line an organisation and how many batches it took.';

create or replace function pgtrail._refused_purge(trail_name text, month timestamptz, sqlstate text)
    returns pgtrail.purge_line
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set timezone = 'UTC'
as $$
begin
    return row(
        _refused_purge.trail_name, null, 0,
        case when _refused_purge.sqlstate in ('55P03', '40P01') then 'postponed' else 'failed' end,
        format('%s: %s', to_char(_refused_purge.month, 'YYYY-MM'), pgtrail.safe_error(_refused_purge.sqlstate))
    )::pgtrail.purge_line;
end;
$$;

revoke all on function pgtrail._refused_purge from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._refused_purge is
    'Returns the line of a month that could not be purged: postponed when somebody was in the way, else failed.';

create or replace function pgtrail._retention_period(trail_name text, organisation_id uuid)
    returns interval
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
begin
    return (
        select policy.keep
        from pgtrail.retention_policy as policy
        where policy.trail_name = _retention_period.trail_name
            and (policy.organisation_id = _retention_period.organisation_id or policy.organisation_id is null)
        order by policy.organisation_id nulls last
        limit 1
    );
end;
$$;

revoke all on function pgtrail._retention_period from public, anon, authenticated, service_role;
grant execute on function pgtrail._retention_period to pgtrail_auditor;
comment on function pgtrail._retention_period is
    'Returns how long an organisation''s entries of a trail are kept; null is for ever.';

create or replace function pgtrail.apply_retention(as_of timestamptz default now(), dry_run boolean default false)
    returns table (trail_name text, organisation uuid, entries bigint, method text, reason text)
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
    set timezone = 'UTC' set jit = off
as $$
declare
    v_started timestamptz := clock_timestamp();
    v_setting pgtrail.retention_setting;
    v_part record;
    v_purged record;
    v_drops jsonb := '[]'::jsonb;
    v_batches int := 0;
    v_lines pgtrail.purge_line[] := '{}'::pgtrail.purge_line[];
begin
    select setting.* into strict v_setting from pgtrail.retention_setting as setting;
    if apply_retention.as_of is null or not apply_retention.dry_run and apply_retention.as_of > clock_timestamp() then
        raise exception 'as_of must not lie in the future'
            using errcode = 'invalid_parameter_value',
                  detail = format('got %s', coalesce(apply_retention.as_of::text, 'null')),
                  hint = 'Only a dry run looks ahead.';
    elsif not apply_retention.dry_run and not pgtrail._is_retention_enabled() then
        raise exception 'retention is not enabled in this copy of the database'
            using errcode = 'TR005',
                  hint = 'If entries are to be removed here as well, call pgtrail.enable_retention().';
    end if;

    -- The lock of the sealer: what is sealed, and how much of it there is, stays as it is.
    perform from pgtrail.log as head where head.log_id = 1 for update;

    for v_part in select due.* from pgtrail._due_partitions(apply_retention.as_of) as due loop
        -- One failure never stops the others: it is part of the result.
        begin
            if v_part.month + interval '1 month' <= apply_retention.as_of - v_setting.keep_at_least
                and pgtrail._is_partition_due(
                    v_part.trail_name, v_part.partition, v_part.month, apply_retention.as_of)
            then
                if v_setting.archive_before_drop
                    and not pgtrail._is_archived(v_part.trail_name, v_part.month::date)
                then
                    v_lines := v_lines || row(
                        v_part.trail_name, null, 0, 'postponed',
                        format('%s is not archived yet', to_char(v_part.month, 'YYYY-MM')))::pgtrail.purge_line;
                elsif jsonb_array_length(v_drops) < v_setting.max_partitions then
                    v_drops := v_drops || to_jsonb(v_part);
                end if;
            else
                v_purged := pgtrail._purge_organisations(
                    v_part.trail_name, v_part.relation, v_part.month, v_part.organisations, apply_retention.as_of,
                    apply_retention.dry_run, v_setting.max_batches - v_batches, v_setting.batch_size);
                v_batches := v_batches + v_purged.batches;
                v_lines := v_lines || v_purged.lines;
            end if;
        exception
            when others then
                v_lines := v_lines || pgtrail._refused_purge(v_part.trail_name, v_part.month, sqlstate);
        end;
    end loop;

    -- Drops come last, because from the first one until the end of the transaction everybody else waits for its trail.
    v_lines := v_lines || pgtrail._drop_due_partitions(v_drops, apply_retention.dry_run);

    if not apply_retention.dry_run then
        insert into pgtrail.purge_run (as_of, started_at, finished_at, entries, failures, results)
        select apply_retention.as_of, v_started, clock_timestamp(), coalesce(sum(line.entries), 0),
            count(*) filter (where line.method in ('postponed', 'failed')),
            coalesce(jsonb_agg(to_jsonb(line)), '[]'::jsonb)
        from unnest(v_lines) as line;
        perform pgtrail._record_act('retention.applied', null, jsonb_build_object(
            'as_of', apply_retention.as_of, 'results', to_jsonb(v_lines)));
    end if;

    return query select line.* from unnest(v_lines) as line;
end;
$$;

revoke all on function pgtrail.apply_retention from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail.apply_retention is
    'Removes the entries that are past their policy at as_of, whole partitions by DROP and others in batches, as many '
    'as pgtrail.retention_setting allows a run, and returns what it removed, a line a month and organisation; a dry '
    'run returns what there is to remove. Never removes what is held, not sealed, or younger than the floor. method '
    'is drop, delete, postponed or failed. What is postponed waits for the next run: somebody was using the partition, '
    'or with archive_before_drop it is not archived yet. Nobody waits longer than half a second for a trail: when '
    'drops take longer, the next run goes on. Leaves a row in pgtrail.purge_run and an entry in audit_log. '
    'Raises 22023 (as_of), TR005 (in a copy of the database).';

create or replace function pgtrail.enable_retention()
    returns void
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    update pgtrail.retention_setting as setting
    set system_identifier = control.system_identifier,
        database_oid = database.oid
    from pg_control_system() as control
    join pg_catalog.pg_database as database on database.datname = current_database();
    perform pgtrail._record_act('retention.enabled', null, '{}');
end;
$$;

revoke all on function pgtrail.enable_retention from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail.enable_retention is
    'Lets retention run in this database: after it was restored or copied from another, where nothing is removed until '
    'then. Audited.';

create or replace function pgtrail.place_legal_hold(
    organisation_id uuid,
    reason          text,
    trail           regclass default null,
    from_at         timestamptz default null,
    to_at           timestamptz default null
)
    returns uuid
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_trail_name text := case when place_legal_hold.trail is not null
        then pgtrail.trail_name(place_legal_hold.trail) end;
    v_hold_id uuid;
begin
    if coalesce(place_legal_hold.reason, '') = '' then
        raise exception 'a legal hold needs a reason'
            using errcode = 'invalid_parameter_value',
                  hint = 'Name the case or the request.';
    elsif place_legal_hold.from_at >= place_legal_hold.to_at then
        raise exception 'the period of the hold is empty'
            using errcode = 'invalid_parameter_value',
                  detail = format('%s to %s', place_legal_hold.from_at, place_legal_hold.to_at),
                  hint = 'Events from from_at on and before to_at are held; null is open.';
    end if;

    -- A purge that is under way ends first.
    perform from pgtrail.log as head where head.log_id = 1 for update;
    insert into pgtrail.legal_hold (organisation_id, trail_name, from_at, to_at, reason)
    values (
        place_legal_hold.organisation_id, v_trail_name, place_legal_hold.from_at, place_legal_hold.to_at,
        place_legal_hold.reason)
    returning legal_hold.hold_id into v_hold_id;

    perform pgtrail._record_act('legal_hold.placed', place_legal_hold.organisation_id, jsonb_build_object(
        'hold_id', v_hold_id, 'trail', v_trail_name, 'from_at', place_legal_hold.from_at,
        'to_at', place_legal_hold.to_at, 'reason', place_legal_hold.reason));
    return v_hold_id;
end;
$$;

revoke all on function pgtrail.place_legal_hold from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail.place_legal_hold is
    'Holds entries, so that no policy removes and nobody erases them until the hold is released: of an organisation '
    'or all (null), of a trail or all, of events from from_at on and before to_at. Returns the hold. Audited. Raises '
    '22023 (no trail, no reason, empty period).';

create or replace function pgtrail.release_legal_hold(hold_id uuid, reason text)
    returns void
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_hold pgtrail.legal_hold;
begin
    if coalesce(release_legal_hold.reason, '') = '' then
        raise exception 'the release of a legal hold needs a reason'
            using errcode = 'invalid_parameter_value',
                  hint = 'Say who decided it, and why.';
    end if;

    update pgtrail.legal_hold as hold
    set released_at = clock_timestamp(),
        released_by = session_user,
        release_reason = release_legal_hold.reason
    where hold.hold_id = release_legal_hold.hold_id and hold.released_at is null
    returning hold.* into v_hold;
    if v_hold.hold_id is null then
        raise exception 'there is no such legal hold'
            using errcode = 'PT404',
                  detail = format('hold %s', coalesce(release_legal_hold.hold_id::text, 'null')),
                  hint = 'It may have been released already: see pgtrail.legal_hold.';
    end if;

    perform pgtrail._record_act('legal_hold.released', v_hold.organisation_id, jsonb_build_object(
        'hold_id', v_hold.hold_id, 'reason', release_legal_hold.reason));
end;
$$;

revoke all on function pgtrail.release_legal_hold from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail.release_legal_hold is
    'Ends a legal hold. Audited. Raises PT404 (no such hold, or released already), 22023 (no reason).';

create or replace function pgtrail.set_retention(
    trail           regclass,
    keep            interval,
    organisation_id uuid default null,
    legal_basis     text default null
)
    returns void
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_trail_name text := pgtrail.trail_name(set_retention.trail);
    v_keep_at_least interval := (select setting.keep_at_least from pgtrail.retention_setting as setting);
    v_now timestamptz := now();
begin
    -- Points in time are compared, since an interval of months has no length of its own.
    if v_now - set_retention.keep > v_now - v_keep_at_least or set_retention.keep <= interval '0' then
        raise exception 'entries must be kept for at least %', v_keep_at_least
            using errcode = 'invalid_parameter_value',
                  detail = format('got %s', set_retention.keep),
                  hint = 'Null keeps them for ever. The owner may lower the limit: pgtrail.set_retention_floor().';
    end if;

    insert into pgtrail.retention_policy as policy (trail_name, organisation_id, keep, legal_basis)
    values (v_trail_name, set_retention.organisation_id, set_retention.keep, set_retention.legal_basis)
    on conflict on constraint a_trail_has_one_policy_for_an_organisation do update
    set keep = excluded.keep,
        legal_basis = excluded.legal_basis,
        set_at = clock_timestamp(),
        set_by = session_user;

    perform pgtrail._record_act('retention.set', set_retention.organisation_id, jsonb_build_object(
        'trail', v_trail_name, 'keep', set_retention.keep, 'legal_basis', set_retention.legal_basis));
end;
$$;

revoke all on function pgtrail.set_retention from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail.set_retention is
    'Sets how long a trail keeps its entries, for one organisation or for all that have no policy of their own; null '
    'is for ever. legal_basis says why. Audited. Raises 22023 when the trail is none, or keep is below the floor.';

create or replace function pgtrail.set_retention_floor(keep_at_least interval)
    returns void
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    if (set_retention_floor.keep_at_least >= interval '0') is not true then
        raise exception 'the floor must be an interval of zero or more'
            using errcode = 'invalid_parameter_value',
                  detail = format('got %s', coalesce(set_retention_floor.keep_at_least::text, 'null')),
                  hint = 'It is 30 days at first.';
    end if;
    update pgtrail.retention_setting as setting set keep_at_least = set_retention_floor.keep_at_least;
    perform pgtrail._record_act('retention.floor_set', null, jsonb_build_object(
        'keep_at_least', set_retention_floor.keep_at_least));
end;
$$;

revoke all on function pgtrail.set_retention_floor from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail.set_retention_floor is
    'Sets the shortest time that any entry is kept, whatever the policies say: 30 days at first. For the owner. '
    'Audited. Raises 22023.';

create or replace function pgtrail._append_batch(
    head    pgtrail.log,
    leaves  bytea[],
    content jsonb,
    ends_at pgtrail.log_position
)
    returns void
    language plpgsql
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_size bigint := (_append_batch.head).tree_size + cardinality(_append_batch.leaves);
    v_root bytea;
    v_starts_at pgtrail.log_position;
begin
    insert into pgtrail.tile as tile (log_id, level, tile_index, hashes)
    select (_append_batch.head).log_id, 0, ((_append_batch.head).tree_size + leaf.place - 1) >> 8,
        string_agg(leaf.hash, ''::bytea order by leaf.place)
    from unnest(_append_batch.leaves) with ordinality as leaf (hash, place)
    group by ((_append_batch.head).tree_size + leaf.place - 1) >> 8
    on conflict on constraint tile_pkey do update set hashes = tile.hashes || excluded.hashes;
    perform pgtrail._raise_tiles((_append_batch.head).log_id, (_append_batch.head).tree_size, v_size);
    v_root := pgtrail._range_hash((_append_batch.head).log_id, 0, v_size);

    -- A batch begins where the one before it ended, so that no position lies between two batches.
    select (pgtrail._batch_end(batch)).* into v_starts_at
    from pgtrail.batch as batch
    where batch.log_id = (_append_batch.head).log_id and batch.era = (_append_batch.head).era
    order by batch.first_leaf desc
    limit 1;
    if not found then
        v_starts_at := pgtrail._position_before('0'::xid8);
    end if;

    insert into pgtrail.batch (
        log_id, first_leaf, entries, root, era,
        from_tx_id, from_trail_name, from_entry_id, to_tx_id, to_trail_name, to_entry_id)
    values (
        (_append_batch.head).log_id, (_append_batch.head).tree_size, cardinality(_append_batch.leaves), v_root,
        (_append_batch.head).era,
        v_starts_at.tx_id, v_starts_at.trail_name, v_starts_at.entry_id,
        (_append_batch.ends_at).tx_id, (_append_batch.ends_at).trail_name, (_append_batch.ends_at).entry_id);

    insert into pgtrail.batch_content (log_id, first_leaf, trail_name, month, entries, version)
    select (_append_batch.head).log_id, (_append_batch.head).tree_size, part.trail_name, part.month, part.entries,
        part.version
    from jsonb_to_recordset(_append_batch.content)
        as part (trail_name text, month date, entries int, version smallint);

    update pgtrail.log as log
    set tree_size = v_size, root = v_root
    where log.log_id = (_append_batch.head).log_id;
end;
$$;

revoke all on function pgtrail._append_batch from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._append_batch is
    'Appends leaves to the tree: tiles, root, a row of pgtrail.batch, and its content as '
    '[{trail_name, month, version, entries}].';

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

create or replace function pgtrail._move_head(log_id int, to_position pgtrail.log_position)
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
begin
    update pgtrail.log as head
    set tx_id = (_move_head.to_position).tx_id,
        trail_name = (_move_head.to_position).trail_name,
        entry_id = (_move_head.to_position).entry_id
    where head.log_id = _move_head.log_id;
end;
$$;

revoke all on function pgtrail._move_head from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._move_head is 'Says that everything of the era up to a position is sealed.';

-- Batches are small, so that the leaf of an entry is found by a search in few tiles.
create or replace function pgtrail._seal_batch(
    log_id      int,
    to_tx_id    xid8,
    max_entries int,
    of_trails   text[] default null
)
    returns int
    language plpgsql
    set search_path = pg_catalog, pg_temp
    set jit = off
as $$
declare
    v_log pgtrail.log;
    v_next record;
    v_ends_at pgtrail.log_position;
begin
    select head.* into strict v_log from pgtrail.log as head where head.log_id = _seal_batch.log_id;

    while v_next is null loop
        begin
            with entry as materialized (
                select entries.*, row_number() over () as place
                from pgtrail._encoded_entries(
                    v_log.era, pgtrail._head_position(v_log), pgtrail._position_before(_seal_batch.to_tx_id),
                    _seal_batch.max_entries, null, _seal_batch.of_trails) as entries
            ),
            counted as materialized (
                select entry.trail_name, entry.version, entry.organisation_id, entry.bucket,
                    date_bin('1 hour', entry.at, '2000-01-01Z') as hour,
                    count(*) as entries,
                    count(entry.leaf) as leaves,
                    max(entry.at) as last_at
                from entry
                group by entry.trail_name, entry.version, entry.organisation_id, entry.bucket, 5
            ),
            content as (
                select counted.trail_name, date_trunc('month', counted.hour at time zone 'UTC')::date as month,
                    counted.version, sum(counted.leaves) as entries
                from counted
                group by counted.trail_name, 2, counted.version
                having sum(counted.leaves) > 0
            )
            select
                (select count(*)::int from entry) as found,
                (
                    select (entry.tx_id, entry.trail_name, entry.entry_id)::pgtrail.log_position
                    from entry
                    where entry.place = (select count(*) from entry)
                ) as ends_at,
                (select array_agg(entry.leaf order by entry.place) from entry where entry.leaf is not null) as leaves,
                (select jsonb_agg(to_jsonb(content)) from content) as content,
                (
                    select array_agg((
                        counted.trail_name, counted.organisation_id, 'hour', counted.hour, counted.bucket,
                        counted.entries, counted.last_at)::pgtrail.rollup)
                    from counted
                ) as hours,
                (select jsonb_agg(to_jsonb(entry) - 'leaf') from entry where entry.leaf is null) as too_long
            into v_next;
        exception
            when data_exception or feature_not_supported or program_limit_exceeded
                or syntax_error_or_access_rule_violation
            then
                -- What cannot be encoded or counted must not hold up the rest. With nothing to blame, the error stands.
                if pgtrail._drop_failing_summaries(v_log.era, v_log.tx_id, _seal_batch.to_tx_id) = 0
                    and pgtrail._set_aside_entries(v_log.era, v_log.tx_id, _seal_batch.to_tx_id) = 0
                then
                    raise;
                end if;
        end;
    end loop;

    insert into pgtrail.unsealable_entry (trail_name, entry_id, sqlstate, reason)
    select long_entry.trail_name, long_entry.entry_id, '54000', 'the entry is longer than 65,535 bytes'
    from jsonb_to_recordset(v_next.too_long) as long_entry (trail_name text, entry_id uuid);

    -- When the limit was not reached, nothing is left up to the watermark.
    v_ends_at := case
        when v_next.found < _seal_batch.max_entries then pgtrail._position_before(_seal_batch.to_tx_id)
        else v_next.ends_at
    end;
    if cardinality(v_next.leaves) > 0 then
        perform pgtrail._append_batch(v_log, v_next.leaves, v_next.content, v_ends_at);
    end if;
    if v_next.found > 0 then
        perform pgtrail._add_counts(v_next.hours);
    end if;
    perform pgtrail._move_head(v_log.log_id, v_ends_at);

    return v_next.found;
end;
$$;

revoke all on function pgtrail._seal_batch from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._seal_batch is
    'Seals the next entries before to_tx_id as one batch and moves the position of the log behind them. Returns how '
    'many entries it took; less than max_entries when nothing is left.';

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

create or replace function pgtrail._add_counts(hours pgtrail.rollup[])
    returns void
    language plpgsql
    set search_path = pg_catalog, pg_temp
    set timezone = 'UTC'
as $$
begin
    insert into pgtrail.rollup as rollup (trail_name, organisation_id, unit, starts_at, bucket, entries, last_at)
    select part.trail_name, part.organisation_id, 'hour', part.starts_at, part.bucket, part.entries, part.last_at
    from unnest(_add_counts.hours) as part
    union all
    select part.trail_name, part.organisation_id, 'month', date_trunc('month', part.starts_at), part.bucket,
        sum(part.entries), max(part.last_at)
    from unnest(_add_counts.hours) as part
    group by part.trail_name, part.organisation_id, 4, part.bucket
    on conflict on constraint rollup_pkey do update
    set entries = rollup.entries + excluded.entries,
        last_at = greatest(rollup.last_at, excluded.last_at);
end;
$$;

revoke all on function pgtrail._add_counts from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._add_counts is
    'Adds counts of hours, each hour, organisation and bucket of a trail once, to pgtrail.rollup, and to its months.';

create or replace function pgtrail._counted_columns_expression(trail_name text)
    returns text
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_trail pgtrail.trail;
begin
    select registered.* into strict v_trail
    from pgtrail.trail as registered
    where registered.trail_name = _counted_columns_expression.trail_name;
    return format(
        'coalesce(entry.%I, %L::uuid) as organisation_id, '
        'entry.%I as at, coalesce((%s)::text, ''none'') as bucket',
        v_trail.organisation_column, pgtrail.platform_organisation(), v_trail.time_column,
        coalesce(v_trail.bucket, '''all'''));
end;
$$;

revoke all on function pgtrail._counted_columns_expression
    from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._counted_columns_expression is
    'Returns the columns organisation_id, at and bucket of the row "entry" of a trail, as SQL: what it is counted by.';

-- An expression that was given for summaries must not hold up the log.
create or replace function pgtrail._drop_failing_summaries(
    era        smallint,
    from_tx_id xid8,
    to_tx_id   xid8
)
    returns int
    language plpgsql
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_trail pgtrail.trail;
    v_dropped int := 0;
begin
    for v_trail in
        select registered.* from pgtrail.trail as registered where registered.bucket is not null
    loop
        begin
            execute format(
                'select count((%s)::text) from %s as entry where entry.era = $1 and entry.tx_id between $2 and $3',
                v_trail.bucket, v_trail.relation)
            using _drop_failing_summaries.era, _drop_failing_summaries.from_tx_id, _drop_failing_summaries.to_tx_id;
        exception
            when data_exception or feature_not_supported or program_limit_exceeded
                or syntax_error_or_access_rule_violation
            then
                raise warning 'summaries of % count by nothing now', v_trail.trail_name
                    using errcode = '01000',
                          detail = format('SQLSTATE %s in: %s', sqlstate, v_trail.bucket),
                          hint = 'Call pgtrail.set_summary with an expression that holds for every entry.';
                perform pgtrail.set_summary(v_trail.relation, null);
                perform pgtrail._set_alert(
                    format('summaries of %s', v_trail.trail_name), 'warning',
                    jsonb_build_object('sqlstate', sqlstate, 'bucket', v_trail.bucket));
                v_dropped := v_dropped + 1;
        end;
    end loop;
    return v_dropped;
end;
$$;

revoke all on function pgtrail._drop_failing_summaries from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._drop_failing_summaries is
    'Tries the expression of each trail''s summaries on the entries of a range of transactions, sets those that fail '
    'back to null with a warning, and returns their number.';

create or replace function pgtrail._hour_counts(trail_name text, condition text)
    returns pgtrail.rollup[]
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set jit = off set timezone = 'UTC'
as $$
declare
    v_hours pgtrail.rollup[];
    v_relation regclass;
begin
    select registered.relation into strict v_relation
    from pgtrail.trail as registered
    where registered.trail_name = _hour_counts.trail_name;

    execute array_to_string(array[
        'select array_agg((trail_name, organisation_id, ''hour'', hour, bucket, entries, last_at)::pgtrail.rollup)',
        'from (select $1 as trail_name, organisation_id, date_bin(''1 hour'', at, ''2000-01-01Z'') as hour, bucket,',
        'count(*) as entries, max(at) as last_at',
        'from (select', pgtrail._counted_columns_expression(_hour_counts.trail_name), 'from', v_relation::text,
        'as entry where',
        _hour_counts.condition, ') as counted group by 2, 3, 4) as part'
    ], ' ')
    into v_hours
    using _hour_counts.trail_name;
    return v_hours;
end;
$$;

revoke all on function pgtrail._hour_counts from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._hour_counts is
    'Counts the entries of a trail that fulfil a condition over the row "entry" by hour, organisation and bucket: what '
    '_add_counts() takes. Null when there are none.';

-- Definer: callers may not read the registry and the log. It returns a query, and the caller runs it.
create or replace function pgtrail._uncounted_query(
    trail_name      text,
    organisation_id uuid,
    from_at         timestamptz,
    to_at           timestamptz,
    from_hour       timestamptz,
    to_hour         timestamptz
)
    returns text
    language plpgsql stable security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_relation regclass;
    v_parts text[] := '{}'::text[];
    v_part record;
begin
    select registered.relation into v_relation
    from pgtrail.trail as registered
    where registered.trail_name = _uncounted_query.trail_name;
    if v_relation is null then
        raise exception 'there is no trail named "%"', coalesce(_uncounted_query.trail_name, 'null')
            using errcode = 'PT404',
                  hint = 'Name a trail without its schema, such as audit_log.';
    end if;

    for v_part in
        select part.from_at, part.to_at, part.condition
        from (values
            (_uncounted_query.from_at, _uncounted_query.from_hour, 'true'),
            (
                _uncounted_query.from_hour, _uncounted_query.to_hour,
                pgtrail._unsealed_condition(_uncounted_query.trail_name)
            ),
            (_uncounted_query.to_hour, _uncounted_query.to_at, 'true')
        ) as part (from_at, to_at, condition)
        where part.from_at < part.to_at
    loop
        v_parts := v_parts || array_to_string(array[
            'select', pgtrail._counted_columns_expression(_uncounted_query.trail_name), 'from', v_relation::text,
            'as entry where',
            pgtrail._organisation_condition(_uncounted_query.trail_name, _uncounted_query.organisation_id), 'and',
            case when v_part.from_at > '-infinity'
                then format('entry.id >= %L and', pgtrail.uuid7_floor(v_part.from_at)) end,
            case when v_part.to_at < 'infinity'
                then format('entry.id < %L and', pgtrail.uuid7_floor(v_part.to_at)) end,
            v_part.condition
        ], ' ');
    end loop;
    return array_to_string(v_parts, ' union all ');
end;
$$;

revoke all on function pgtrail._uncounted_query from public, anon;
grant execute on function pgtrail._uncounted_query to authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._uncounted_query is
    'Returns the query of the entries of [from_at, to_at) that a summary cannot take from pgtrail.rollup: those '
    'outside the whole hours [from_hour, to_hour), and those that are not sealed yet. Empty when there can be none. '
    'Raises PT404 (no such trail).';

create or replace function pgtrail.recount(
    trail           regclass,
    from_at         timestamptz default null,
    to_at           timestamptz default null,
    organisation_id uuid default null
)
    returns void
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
    set timezone = 'UTC'
as $$
declare
    v_trail_name text := pgtrail.trail_name(recount.trail);
    v_from timestamptz := date_trunc('month', recount.from_at);
    v_to timestamptz := date_trunc('month', recount.to_at);
    v_month timestamptz;
    v_organisation text;
begin
    if v_to < recount.to_at then
        v_to := v_to + interval '1 month';
    end if;

    -- The lock of the sealer: nothing is counted meanwhile.
    perform from pgtrail.log as head where head.log_id = 1 for update;

    delete from pgtrail.rollup as rollup
    where rollup.trail_name = v_trail_name
        and (recount.organisation_id is null or rollup.organisation_id = recount.organisation_id)
        and (v_from is null or rollup.starts_at >= v_from)
        and (v_to is null or rollup.starts_at < v_to);

    if recount.organisation_id is not null then
        v_organisation := 'and ' || pgtrail._organisation_condition(v_trail_name, recount.organisation_id);
    end if;
    -- It goes month by month, so that the counts fit into memory however long the history is.
    for v_month in
        select found.month from pgtrail._months_with_entries(v_trail_name, v_from, v_to) as found (month)
    loop
        perform pgtrail._add_counts(pgtrail._hour_counts(v_trail_name, array_to_string(array[
            'not (', pgtrail._unsealed_condition(v_trail_name), ')',
            format('and entry.id >= %L', pgtrail.uuid7_floor(v_month)),
            format('and entry.id < %L', pgtrail.uuid7_floor(v_month + interval '1 month')),
            v_organisation
        ], ' ')));
    end loop;
end;
$$;

revoke all on function pgtrail.recount from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail.recount is
    'Counts a trail''s sealed entries again, of the months that [from_at, to_at) touches, of all organisations or '
    'one: after entries were removed, or when verify_rollups() found a difference. Sealing waits meanwhile. Raises '
    '22023 (no trail).';

create or replace function pgtrail.set_summary(trail regclass, bucket text default null)
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_trail_name text := pgtrail.trail_name(set_summary.trail);
begin
    perform from pgtrail.log as head where head.log_id = 1 for update;
    update pgtrail.trail as registered
    set bucket = set_summary.bucket
    where registered.trail_name = v_trail_name;
    -- Also of a trail that has no entries yet, the expression must be one.
    execute format(
        'select %s from %s as entry limit 0', pgtrail._counted_columns_expression(v_trail_name), set_summary.trail);
    perform pgtrail.recount(set_summary.trail);
end;
$$;

revoke all on function pgtrail.set_summary from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail.set_summary is
    'Sets what summaries of a trail count by: an SQL expression over the row "entry", such as entry.outcome, or null '
    'for one number, and counts its entries again. Sealing waits meanwhile. When it fails on a later entry, seal() '
    'sets it back to null. Raises 22023 (no trail), and what the expression raises.';

-- Whole months come from the counts of months, the hours around them from those of hours, and what is left from the
-- trail itself, all in one snapshot.
create or replace function pgtrail.summary(
    trail_name      text,
    organisation_id uuid,
    from_at         timestamptz default null,
    to_at           timestamptz default null
)
    returns table (bucket text, entries bigint, last_at timestamptz)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set timezone = 'UTC' set jit = off set enable_seqscan = off set enable_bitmapscan = off
as $$
declare
    v_from timestamptz := coalesce(summary.from_at, '-infinity');
    v_to timestamptz := coalesce(summary.to_at, 'infinity');
    v_from_hour timestamptz;
    v_to_hour timestamptz;
    v_from_month timestamptz;
    v_to_month timestamptz;
    v_uncounted text;
begin
    if summary.organisation_id is null then
        raise exception 'the organisation is required'
            using errcode = 'invalid_parameter_value',
                  hint = 'Name the organisation whose entries you want to count.';
    end if;
    perform pgtrail.require_reader(summary.organisation_id);

    v_from_hour := case when isfinite(v_from) then date_bin('1 hour', v_from, '2000-01-01Z') else v_from end;
    v_from_hour := case when v_from_hour < v_from then v_from_hour + interval '1 hour' else v_from_hour end;
    v_to_hour := case when isfinite(v_to) then date_bin('1 hour', v_to, '2000-01-01Z') else v_to end;
    if v_from_hour > v_to_hour then
        v_from_hour := v_to;
        v_to_hour := v_to;
    end if;
    v_from_month := case when isfinite(v_from_hour) then date_trunc('month', v_from_hour) else v_from_hour end;
    v_from_month := case when v_from_month < v_from_hour then v_from_month + interval '1 month' else v_from_month end;
    v_to_month := case when isfinite(v_to_hour) then date_trunc('month', v_to_hour) else v_to_hour end;
    if v_from_month > v_to_month then
        v_from_month := v_to_hour;
        v_to_month := v_to_hour;
    end if;

    v_uncounted := pgtrail._uncounted_query(
        summary.trail_name, summary.organisation_id, v_from, v_to, v_from_hour, v_to_hour);

    return query execute array_to_string(array[
        $query$
        select bucket, sum(entries)::bigint, max(last_at)
        from (
            select bucket, entries, last_at
            from pgtrail.rollup
            where trail_name = $1 and organisation_id = $2
                and unit = 'month' and starts_at >= $5 and starts_at < $6
            union all
            select bucket, entries, last_at
            from pgtrail.rollup
            where trail_name = $1 and organisation_id = $2
                and unit = 'hour' and starts_at >= $3 and starts_at < $5
            union all
            select bucket, entries, last_at
            from pgtrail.rollup
            where trail_name = $1 and organisation_id = $2
                and unit = 'hour' and starts_at >= $6 and starts_at < $4
        $query$,
        case when v_uncounted <> '' then
            'union all select bucket, count(*), max(at) from (' || v_uncounted || ') as uncounted group by bucket' end,
        ') as part group by bucket order by bucket'
    ], ' ')
    using summary.trail_name, summary.organisation_id, v_from_hour, v_to_hour, v_from_month, v_to_month;
end;
$$;

revoke all on function pgtrail.summary from public, anon;
grant execute on function pgtrail.summary to authenticated, service_role, pgtrail_auditor;
comment on function pgtrail.summary is
    'Counts an organisation''s entries of a trail whose event lies in [from_at, to_at), null is open, by the bucket '
    'of the trail: exact, sealed or not, and without reading the history. last_at is the time of the newest event. '
    'Reads as the caller. Raises 22023 (organisation missing), 42501 (organisation the caller may not read), PT404 '
    '(no such trail).';

create or replace function pgtrail.verify_rollups(trail regclass default null)
    returns table (
        trail_name      text,
        organisation_id uuid,
        unit            text,
        starts_at       timestamptz,
        bucket          text,
        stored          bigint,
        counted         bigint
    )
    language plpgsql stable security definer
    set search_path = pg_catalog, pg_temp
    set timezone = 'UTC' set jit = off
as $$
declare
    v_only text := case when verify_rollups.trail is not null then pgtrail.trail_name(verify_rollups.trail) end;
    v_month timestamptz;
begin
    for trail_name, v_month in
        select registered.trail_name, month.month
        from pgtrail.trail as registered
        cross join lateral (
            select found.month from pgtrail._months_with_entries(registered.trail_name) as found (month)
            union
            select rollup.starts_at
            from pgtrail.rollup as rollup
            where rollup.trail_name = registered.trail_name and rollup.unit = 'month'
            union
            select date_trunc('month', rollup.starts_at)
            from pgtrail.rollup as rollup
            where rollup.trail_name = registered.trail_name and rollup.unit = 'hour'
        ) as month
        where v_only is null or registered.trail_name = v_only
        order by registered.trail_name, month.month
    loop
        for organisation_id, unit, starts_at, bucket, stored, counted in
            with part as materialized (
                select recorded.*
                from unnest(pgtrail._hour_counts(trail_name, array_to_string(array[
                    'not (', pgtrail._unsealed_condition(trail_name), ')',
                    format('and entry.id >= %L', pgtrail.uuid7_floor(v_month)),
                    format('and entry.id < %L', pgtrail.uuid7_floor(v_month + interval '1 month'))
                ], ' '))) as recorded
            ),
            fresh as (
                select part.organisation_id, part.unit, part.starts_at, part.bucket, part.entries, part.last_at
                from part
                union all
                select part.organisation_id, 'month', v_month, part.bucket, sum(part.entries)::bigint, max(part.last_at)
                from part
                group by part.organisation_id, part.bucket
            ),
            kept as (
                select rollup.*
                from pgtrail.rollup as rollup
                where rollup.trail_name = verify_rollups.trail_name
                    and rollup.starts_at >= v_month
                    and rollup.starts_at < v_month + interval '1 month'
            )
            select coalesce(kept.organisation_id, fresh.organisation_id), coalesce(kept.unit, fresh.unit),
                coalesce(kept.starts_at, fresh.starts_at), coalesce(kept.bucket, fresh.bucket), kept.entries,
                fresh.entries
            from kept
            full join fresh
                on fresh.organisation_id = kept.organisation_id
                and fresh.unit = kept.unit
                and fresh.starts_at = kept.starts_at
                and fresh.bucket = kept.bucket
            where (kept.entries, kept.last_at) is distinct from (fresh.entries, fresh.last_at)
        loop
            return next;
        end loop;
    end loop;
end;
$$;

revoke all on function pgtrail.verify_rollups from public, anon, authenticated, service_role;
grant execute on function pgtrail.verify_rollups to pgtrail_auditor;
comment on function pgtrail.verify_rollups is
    'Counts the sealed entries of a trail, by default of all, again and returns each count of pgtrail.rollup that '
    'differs, in number or in the time of its newest event; no row when summaries are exact. Reads every entry. '
    'Raises 22023 (no trail).';

create or replace function pgtrail._add_entry_format(
    trail_name text,
    relation   regclass,
    erasable   name[],
    digested   name[]
)
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_columns name[];
begin
    -- The entry of the log holds every column but the salt and what is generated. Sealed entries keep the format they
    -- were sealed with.
    select array_agg(attribute.attname order by attribute.attnum) into v_columns
    from pg_catalog.pg_attribute as attribute
    where attribute.attrelid = _add_entry_format.relation
        and attribute.attnum > 0
        and not attribute.attisdropped
        and attribute.attgenerated = ''
        and attribute.attname <> 'erasure_salt';
    insert into pgtrail.entry_format (trail_name, version, columns, erasable, digested)
    select _add_entry_format.trail_name, coalesce(max(format.version), 0) + 1, v_columns,
        _add_entry_format.erasable, _add_entry_format.digested
    from pgtrail.entry_format as format
    where format.trail_name = _add_entry_format.trail_name
    having (
        select (newest.columns, newest.erasable, newest.digested)
            is distinct from (v_columns, _add_entry_format.erasable, _add_entry_format.digested)
        from (values (max(format.version))) as last (version)
        left join pgtrail.entry_format as newest
            on newest.trail_name = _add_entry_format.trail_name and newest.version = last.version
    );
end;
$$;

revoke all on function pgtrail._add_entry_format from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._add_entry_format is
    'Adds the version of the format in which later entries of a trail enter the log, when the last one is another.';

create or replace function pgtrail._add_trail_constraints(relation regclass)
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
begin
    if not exists (
        select from pg_catalog.pg_constraint
        where conrelid = _add_trail_constraints.relation and conname = 'id_is_uuid_v7'
    ) then
        execute format(
            'alter table %s add constraint id_is_uuid_v7 check ((get_byte(uuid_send(id), 6) >> 4) = 7)',
            _add_trail_constraints.relation);
    end if;
    if not exists (
        select from pg_catalog.pg_constraint
        where conrelid = _add_trail_constraints.relation and conname = 'event_is_not_in_the_future'
    ) then
        execute format(
            'alter table %s add constraint event_is_not_in_the_future '
            'check (%I <= recorded_at + interval ''5 minutes'')',
            _add_trail_constraints.relation, pgtrail._time_column(_add_trail_constraints.relation));
    end if;
end;
$$;

revoke all on function pgtrail._add_trail_constraints from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._add_trail_constraints is
    'Gives a trail the constraints on its id and on the time of the event, where it lacks them.';

create or replace function pgtrail._add_trail_indexes(relation regclass, organisation_column name)
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_trail name := (
        select class.relname from pg_catalog.pg_class as class where class.oid = _add_trail_indexes.relation);
begin
    if not exists (
        select
        from pg_catalog.pg_index as index
        join pg_catalog.pg_attribute as attribute
            on attribute.attrelid = index.indrelid and attribute.attname = _add_trail_indexes.organisation_column
        join pg_catalog.pg_attribute as key on key.attrelid = index.indrelid and key.attname = 'id'
        where index.indrelid = _add_trail_indexes.relation
            and index.indkey::text = attribute.attnum || ' ' || key.attnum
            and index.indpred is null
    ) then
        execute format(
            'create index %I on %s (%I, id)',
            left(v_trail || '_' || _add_trail_indexes.organisation_column, 56) || '_id_idx',
            _add_trail_indexes.relation, _add_trail_indexes.organisation_column);
    end if;

    execute format(
        'create index if not exists %I on %s (tx_id, id)',
        left(v_trail::text, 51) || '_tx_id_id_idx', _add_trail_indexes.relation);
end;
$$;

revoke all on function pgtrail._add_trail_indexes from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._add_trail_indexes is
    'Gives a trail the indexes on (organisation, id), which pages read, and on (tx_id, id), which sealing does, where '
    'it lacks them.';

-- The row guard is for replication apply, which fires row triggers only. The statement guard refuses
-- statements that match no row and TRUNCATE; unlike the row guard it is not cloned to partitions.
create or replace function pgtrail._attach_guards(relation regclass)
    returns void
    language plpgsql
    set search_path = pg_catalog, pg_temp
as $$
begin
    execute format(
        'create or replace trigger refuse_change_of_statement before update or delete or truncate on %s '
        'for each statement execute function pgtrail.tg__refuse_change()', _attach_guards.relation);
    execute format('alter table %s enable always trigger refuse_change_of_statement', _attach_guards.relation);

    -- A partition gets the row guard from the trail when it is attached, enabled as it is there.
    if (select relkind = 'p' from pg_catalog.pg_class where oid = _attach_guards.relation) then
        execute format(
            'create or replace trigger refuse_change_of_row before update or delete on %s '
            'for each row execute function pgtrail.tg__refuse_change()', _attach_guards.relation);
        execute format('alter table %s enable always trigger refuse_change_of_row', _attach_guards.relation);
    end if;

    execute format('alter table %s enable row level security', _attach_guards.relation);
    execute format(
        'revoke all on %s from public, anon, authenticated, service_role, pgtrail_auditor', _attach_guards.relation);
end;
$$;

revoke all on function pgtrail._attach_guards from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._attach_guards is
    'Makes a trail or one of its partitions append-only: guards enabled always, row level security on, no privileges.';

create or replace function pgtrail._grant_trail(relation regclass)
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
begin
    execute format('grant select, update, delete on %s to pgtrail_purger', _grant_trail.relation);
    execute format('grant select on %s to authenticated, service_role, pgtrail_auditor', _grant_trail.relation);
    execute format(
        'grant insert (%s) on %s to service_role',
        (
            select string_agg(quote_ident(attribute.attname), ', ' order by attribute.attnum)
            from pg_catalog.pg_attribute as attribute
            where attribute.attrelid = _grant_trail.relation
                and attribute.attnum > 0
                and not attribute.attisdropped
                and attribute.attgenerated = ''
                and attribute.attname <> all (pgtrail._server_columns())
        ),
        _grant_trail.relation);
end;
$$;

revoke all on function pgtrail._grant_trail from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._grant_trail is
    'Grants what each role may do with a trail: readers SELECT, service_role INSERT of the columns that are not the '
    'database''s to set, the purger what a purge or an erasure takes.';

create or replace function pgtrail._is_owned(name text)
    returns boolean
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
begin
    return exists (
        select
        from pg_catalog.pg_class as class
        where class.oid = to_regclass(_is_owned.name) and class.relowner = 'pgtrail_owner'::regrole
    );
end;
$$;

revoke all on function pgtrail._is_owned from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._is_owned is
    'Tells whether there is a table of that name and pgtrail made it: one that a database had before keeps its owner.';

create or replace function pgtrail._monthly_partitions(trail regclass)
    returns table (partition regclass, month timestamptz)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set timezone = 'UTC'
as $$
begin
    -- ensure_partitions names them so. A default partition has no month.
    return query
    select class.oid::regclass, to_timestamp(right(class.relname, 7), 'YYYY_MM')
    from pg_catalog.pg_inherits as inheritance
    join pg_catalog.pg_class as class on class.oid = inheritance.inhrelid
    where inheritance.inhparent = _monthly_partitions.trail and class.relname ~ '_[0-9]{4}_[0-9]{2}$';
end;
$$;

revoke all on function pgtrail._monthly_partitions from public, anon, authenticated, service_role;
grant execute on function pgtrail._monthly_partitions to pgtrail_auditor;
comment on function pgtrail._monthly_partitions is
    'Returns the partitions of a trail and the beginning of the month (UTC) that each is for.';

create or replace function pgtrail._months_with_entries(
    trail_name text,
    from_at    timestamptz default null,
    to_at      timestamptz default null
)
    returns setof timestamptz
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set timezone = 'UTC' set enable_seqscan = off
as $$
declare
    v_relation regclass;
    v_next_id uuid := coalesce(pgtrail.uuid7_floor(_months_with_entries.from_at), pgtrail._least_id());
    v_end_id uuid := coalesce(pgtrail.uuid7_floor(_months_with_entries.to_at), pgtrail._greatest_id());
    v_found_id uuid;
    v_month timestamptz;
begin
    select registered.relation into strict v_relation
    from pgtrail.trail as registered
    where registered.trail_name = _months_with_entries.trail_name;

    loop
        execute format('select id from %s where id >= $1 and id < $2 order by id limit 1', v_relation)
        into v_found_id
        using v_next_id, v_end_id;
        exit when v_found_id is null;
        v_month := date_trunc('month', pgtrail.uuid7_time(v_found_id));
        return next v_month;
        v_next_id := pgtrail.uuid7_floor(v_month + interval '1 month');
    end loop;
end;
$$;

revoke all on function pgtrail._months_with_entries from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._months_with_entries is
    'Returns the beginnings of the months (UTC) in which a trail has entries of [from_at, to_at); null is open.';

create or replace function pgtrail._organisation_condition(trail_name text, organisation_id uuid)
    returns text
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_column name;
begin
    select registered.organisation_column into strict v_column
    from pgtrail.trail as registered
    where registered.trail_name = _organisation_condition.trail_name;
    return case
        when _organisation_condition.organisation_id <> pgtrail.platform_organisation()
            then format('entry.%I = %L', v_column, _organisation_condition.organisation_id)
        else format('(entry.%1$I = %2$L or entry.%1$I is null)', v_column, _organisation_condition.organisation_id)
    end;
end;
$$;

revoke all on function pgtrail._organisation_condition from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._organisation_condition is
    'Returns the condition, as SQL over the row "entry" of a trail, under which it counts for an organisation. What '
    'has no organisation counts for the platform.';

-- Core alone has nowhere to write yet: what was done is then in the tables that it changed.
create or replace function pgtrail._record_act(action text, organisation_id uuid, details jsonb)
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
begin
    if not exists (select from pgtrail.trail as registered where registered.trail_name = 'audit_log') then
        return;
    end if;
    insert into public.audit_log (organisation_id, actor_id, actor_kind, action, details)
    values (
        coalesce(_record_act.organisation_id, pgtrail.platform_organisation()),
        session_user, 'system', _record_act.action, jsonb_strip_nulls(_record_act.details));
end;
$$;

revoke all on function pgtrail._record_act from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._record_act is
    'Records an act of administration in audit_log, where that is installed: of an organisation, or of the platform.';

create or replace function pgtrail._server_columns()
    returns name[]
    language plpgsql immutable parallel safe
    set search_path = pg_catalog, pg_temp
as $$
begin
    return '{recorded_at,era,tx_id,database_role,erasure_salt}'::name[];
end;
$$;

revoke all on function pgtrail._server_columns from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._server_columns is
    'Returns the columns of a trail that the database alone sets: no grant lets a writer send them.';

create or replace function pgtrail._set_trail_policies(relation regclass, organisation_column name)
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
begin
    -- One policy a role, so that none is evaluated beside another. The subquery runs once per query.
    execute format('drop policy if exists select_member on %s', _set_trail_policies.relation);
    execute format(
        'create policy select_member on %s for select to authenticated '
        'using (%I = any ((select pgtrail.readable_organisations())::uuid[]))',
        _set_trail_policies.relation, _set_trail_policies.organisation_column);
    execute format('drop policy if exists select_auditor on %s', _set_trail_policies.relation);
    execute format(
        'create policy select_auditor on %s for select to pgtrail_auditor using (true)', _set_trail_policies.relation);
    -- service_role bypasses row level security on Supabase, but not where pgtrail itself made the role.
    execute format('drop policy if exists select_service on %s', _set_trail_policies.relation);
    execute format(
        'create policy select_service on %s for select to service_role using (true)', _set_trail_policies.relation);
    execute format('drop policy if exists insert_service on %s', _set_trail_policies.relation);
    execute format(
        'create policy insert_service on %s for insert to service_role with check (true)',
        _set_trail_policies.relation);

    execute format('drop policy if exists all_purger on %s', _set_trail_policies.relation);
    execute format(
        'create policy all_purger on %s to pgtrail_purger using (true) with check (true)',
        _set_trail_policies.relation);
end;
$$;

revoke all on function pgtrail._set_trail_policies from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._set_trail_policies is
    'Gives a trail its policies: members read their organisation, auditors and service_role read all, service_role '
    'writes.';

create or replace function pgtrail._time_column(relation regclass)
    returns name
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
begin
    return (
        select attribute.attname
        from pg_catalog.pg_attribute as attribute
        join pg_catalog.pg_attrdef as expression
            on expression.adrelid = attribute.attrelid and expression.adnum = attribute.attnum
        where attribute.attrelid = _time_column.relation
            and attribute.attgenerated = 's'
            and pg_get_expr(expression.adbin, expression.adrelid) = 'pgtrail.uuid7_time(id)'
        order by attribute.attnum
        limit 1
    );
end;
$$;

revoke all on function pgtrail._time_column from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._time_column is
    'Returns the column of a trail that shows the time of the event: the one generated by pgtrail.uuid7_time(id).';

create or replace function pgtrail._trail_shape_defect(
    relation            regclass,
    organisation_column name,
    erasable            name[],
    digested            name[]
)
    returns text
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
begin
    return coalesce(
        (
            select case
                when class.relkind <> 'p' or partition.partstrat <> 'r' or partition.partattrs::text <> key.attnum::text
                    then 'it must be partitioned by range (id)'
                when key.atttypid <> 'uuid'::regtype or not exists (
                    select from pg_catalog.pg_constraint
                    where conrelid = class.oid and contype = 'p' and conkey = array[key.attnum])
                    then 'its primary key must be id uuid'
                when pgtrail._time_column(class.oid) is null
                    then 'it must have one column "<event>_at timestamptz generated always as '
                        '(pgtrail.uuid7_time(id)) stored"'
            end
            from pg_catalog.pg_class as class
            left join pg_catalog.pg_partitioned_table as partition on partition.partrelid = class.oid
            left join pg_catalog.pg_attribute as key on key.attrelid = class.oid and key.attname = 'id'
            where class.oid = _trail_shape_defect.relation
        ),
        (
            select format('it must have column "%s %s %s"', required.name, required.type, required.clause)
            from (values
                ('recorded_at'::name, 'timestamptz'::regtype, true, 'clock_timestamp()',
                    'not null default clock_timestamp()'),
                ('era', 'smallint', true, null, 'not null default 0'),
                ('tx_id', 'xid8', true, 'pg_current_xact_id()', 'not null default pg_current_xact_id()'),
                ('erasure_salt', 'uuid', false, 'gen_random_uuid()', 'default gen_random_uuid()'),
                (_trail_shape_defect.organisation_column, 'uuid', false, null, '')
            ) as required (name, type, not_null, default_expression, clause)
            left join pg_catalog.pg_attribute as attribute
                on attribute.attrelid = _trail_shape_defect.relation and attribute.attname = required.name
            left join pg_catalog.pg_attrdef as expression
                on expression.adrelid = attribute.attrelid and expression.adnum = attribute.attnum
            where (required.name <> 'erasure_salt' or _trail_shape_defect.erasable <> '{}')
                and (attribute.atttypid is distinct from required.type
                    or required.not_null and not attribute.attnotnull
                    or required.default_expression is not null
                        and pg_get_expr(expression.adbin, expression.adrelid)
                            is distinct from required.default_expression)
            limit 1
        ),
        (
            select format('column "%s" cannot be erasable or digested: it is missing or required', named.name)
            from unnest(_trail_shape_defect.erasable || _trail_shape_defect.digested) as named (name)
            left join pg_catalog.pg_attribute as attribute
                on attribute.attrelid = _trail_shape_defect.relation
                and attribute.attname = named.name
                and attribute.attnum > 0
            where attribute.attname is null
                or attribute.attname = any (
                    pgtrail._server_columns() || array[
                        'id', pgtrail._time_column(_trail_shape_defect.relation),
                        _trail_shape_defect.organisation_column])
                or attribute.attnotnull and named.name = any (_trail_shape_defect.erasable)
            limit 1
        )
    );
end;
$$;

revoke all on function pgtrail._trail_shape_defect from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._trail_shape_defect is
    'Returns what keeps a table from being a trail, as a sentence; null when nothing does.';

-- Invoker: it is run by the owner of the table, who must be a member of pgtrail_owner.
-- It is idempotent: a newer version of pgtrail calls it again for every registered trail.
create or replace function pgtrail.create_trail(
    relation            regclass,
    organisation_column name,
    erasable            name[] default '{}',
    digested            name[] default '{}'
)
    returns void
    language plpgsql
    set search_path = pg_catalog, pg_temp
    set client_min_messages = warning
as $$
declare
    v_trail name := (select class.relname from pg_catalog.pg_class as class where class.oid = create_trail.relation);
    v_defect text := pgtrail._trail_shape_defect(
        create_trail.relation, create_trail.organisation_column, create_trail.erasable, create_trail.digested);
begin
    if v_defect is not null then
        raise exception '% does not have the shape of a trail', create_trail.relation
            using errcode = 'TR001',
                  detail = v_defect,
                  hint = 'The required columns are listed under "Make a trail of your own" in the documentation.';
    end if;

    if exists (
        select from pgtrail.trail as registered
        where registered.trail_name = v_trail and registered.relation <> create_trail.relation
    ) then
        raise exception 'a trail named "%" exists already', v_trail
            using errcode = 'duplicate_object',
                  hint = 'Trails of one database have different names, whatever their schema. Rename the table.';
    end if;

    execute format('alter table %s owner to pgtrail_owner', create_trail.relation);
    perform pgtrail._add_trail_constraints(create_trail.relation);
    perform pgtrail._add_trail_indexes(create_trail.relation, create_trail.organisation_column);
    -- After a restore into another cluster the log is in a later era than the table's definition says.
    execute format(
        'alter table %s alter column era set default %s',
        create_trail.relation, (select head.era from pgtrail.log as head where head.log_id = 1));

    perform pgtrail._attach_guards(create_trail.relation);
    perform pgtrail._set_trail_policies(create_trail.relation, create_trail.organisation_column);
    perform pgtrail._grant_trail(create_trail.relation);

    insert into pgtrail.trail (trail_name, relation, organisation_column, time_column, erasable, digested)
    values (
        v_trail, create_trail.relation, create_trail.organisation_column,
        pgtrail._time_column(create_trail.relation), create_trail.erasable, create_trail.digested)
    on conflict (trail_name) do update set
        organisation_column = excluded.organisation_column,
        time_column = excluded.time_column,
        erasable = excluded.erasable,
        digested = excluded.digested;
    perform pgtrail._add_entry_format(v_trail, create_trail.relation, create_trail.erasable, create_trail.digested);

    perform pgtrail.ensure_partitions(
        create_trail.relation, now() - interval '1 month', now() + interval '13 months');
end;
$$;

revoke all on function pgtrail.create_trail from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail.create_trail is
    'Makes an append-only trail of a table that has the required columns: owner pgtrail_owner, constraints, guards, '
    'row level security, grants, the indexes on (organisation, id) and (tx_id, id), monthly partitions from last month '
    'to 13 months ahead, a format of its entries in the log, and a row in pgtrail.trail. erasable: columns whose '
    'value may be erased later; digested: columns that enter the log as a digest. Can be run again. Raises TR001 '
    'when the table has another shape, 42710 when the name is taken.';

-- Definer: partitions belong to pgtrail_owner whoever calls.
-- CREATE, then ATTACH: this order takes SHARE UPDATE EXCLUSIVE on the trail, so that writers and readers
-- go on; CREATE TABLE ... PARTITION OF would lock them out. LIKE copies neither row level security nor
-- statement triggers, which is why the guard is put on each partition before it is attached.
create or replace function pgtrail.ensure_partitions(trail regclass, from_at timestamptz, to_at timestamptz)
    returns int
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_trail text;
    v_month timestamp;
    v_partition text;
    v_created int := 0;
begin
    -- The lock makes concurrent callers wait for one another. No key is updated: the sealer, whose foreign keys look
    -- here, does not wait.
    select registered.trail_name into v_trail
    from pgtrail.trail as registered
    where registered.relation = ensure_partitions.trail
    for no key update;

    if v_trail is null then
        raise exception '% is not a trail', coalesce(ensure_partitions.trail::text, 'null')
            using errcode = 'invalid_parameter_value',
                  hint = 'Register it with pgtrail.create_trail, or name a trail of pgtrail.trail.';
    end if;

    if not (isfinite(ensure_partitions.from_at) and isfinite(ensure_partitions.to_at)
            and ensure_partitions.from_at >= timestamptz '1970-01-01 00:00:00+00'
            and ensure_partitions.from_at <= ensure_partitions.to_at) is true then
        raise exception 'from_at and to_at must be a period that begins after 1969'
            using errcode = 'invalid_parameter_value',
                  detail = format('got %s to %s', coalesce(ensure_partitions.from_at::text, 'null'),
                                  coalesce(ensure_partitions.to_at::text, 'null')),
                  hint = 'Both ends are required, and from_at must not be after to_at.';
    end if;

    for v_month in
        select generate_series(
            date_trunc('month', ensure_partitions.from_at at time zone 'UTC'),
            date_trunc('month', ensure_partitions.to_at at time zone 'UTC'),
            interval '1 month')
    loop
        v_partition := format('pgtrail_partitions.%I', v_trail || to_char(v_month, '_YYYY_MM'));
        continue when exists (
            select from pg_catalog.pg_inherits
            where inhparent = ensure_partitions.trail and inhrelid = to_regclass(v_partition)
        );

        execute format(
            'create table %s (like %s including all excluding indexes)',
            v_partition, ensure_partitions.trail);
        perform pgtrail._attach_guards(v_partition::regclass);
        execute format('create policy deny_everyone on %s using (false)', v_partition);
        execute format(
            'alter table %s attach partition %s for values from (%L) to (%L)',
            ensure_partitions.trail,
            v_partition,
            pgtrail.uuid7_floor(v_month at time zone 'UTC'),
            pgtrail.uuid7_floor((v_month + interval '1 month') at time zone 'UTC'));
        v_created := v_created + 1;
    end loop;

    return v_created;
end;
$$;

revoke all on function pgtrail.ensure_partitions from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail.ensure_partitions is
    'Creates the missing monthly partitions (UTC) of a trail for the period from from_at to to_at, both included, '
    'and returns how many it created. Raises 22023 for a table that is no trail and for an empty period.';

create or replace function pgtrail.tg__refuse_change()
    returns trigger
    language plpgsql
    set search_path = pg_catalog, pg_temp
as $$
begin
    -- The one door: functions that belong to this role, which nobody can log in as.
    if current_user = 'pgtrail_purger' and tg_op <> 'TRUNCATE' then
        if tg_level = 'STATEMENT' then
            return null;
        elsif tg_op = 'DELETE' then
            return old;
        end if;
        return new;
    end if;

    raise exception '% is append-only: % refused', tg_table_name, lower(tg_op)
        using errcode = 'insufficient_privilege',
              hint = 'Entries of a trail are never changed or removed. Record a new entry that corrects the old one.';
end;
$$;

revoke all on function pgtrail.tg__refuse_change from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail.tg__refuse_change is
    'Trigger function of all guards. Raises 42501 (insufficient_privilege) for every UPDATE, DELETE and '
    'TRUNCATE, but what pgtrail_purger does in the course of a purge or an erasure.';

create or replace function pgtrail.trail_name(trail regclass)
    returns text
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_trail_name text;
begin
    select registered.trail_name into v_trail_name
    from pgtrail.trail as registered
    where registered.relation = trail_name.trail;
    if v_trail_name is null then
        raise exception '% is not a trail', coalesce(trail_name.trail::text, 'null')
            using errcode = 'invalid_parameter_value',
                  hint = 'Name a trail of pgtrail.trail.';
    end if;
    return v_trail_name;
end;
$$;

revoke all on function pgtrail.trail_name from public, anon, authenticated, service_role, pgtrail_auditor;
grant execute on function pgtrail.trail_name to pgtrail_auditor;
comment on function pgtrail.trail_name is
    'Returns the name under which a table is registered as a trail. Raises 22023 when it is none.';

create or replace function pgtrail.trails()
    returns table (trail_name text, relation regclass)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select registered.trail_name, registered.relation
    from pgtrail.trail as registered
    order by registered.trail_name;
end;
$$;

revoke all on function pgtrail.trails from public, anon, authenticated, service_role;
grant execute on function pgtrail.trails to pgtrail_auditor;
comment on function pgtrail.trails is 'Returns the trails of the database, by name.';

create or replace function pgtrail._inclusion_hashes(log_id int, leaf_index bigint, tree_size bigint)
    returns bytea[]
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_low bigint := 0::bigint;
    v_high bigint := _inclusion_hashes.tree_size;
    v_middle bigint;
    v_hashes bytea[] := '{}'::bytea[];
begin
    while v_high - v_low > 1 loop
        v_middle := v_low + pgtrail._left_subtree_size(v_high - v_low);
        if _inclusion_hashes.leaf_index < v_middle then
            v_hashes := pgtrail._range_hash(_inclusion_hashes.log_id, v_middle, v_high) || v_hashes;
            v_high := v_middle;
        else
            v_hashes := pgtrail._range_hash(_inclusion_hashes.log_id, v_low, v_middle) || v_hashes;
            v_low := v_middle;
        end if;
    end loop;
    return v_hashes;
end;
$$;

revoke all on function pgtrail._inclusion_hashes from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._inclusion_hashes is
    'Returns PATH(leaf_index, D[tree_size]) of RFC 6962, section 2.1.1: the siblings from the leaf up to the root.';

create or replace function pgtrail._leaves(first_leaf bigint, entries int)
    returns table (leaf_index bigint, hash bytea)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set jit = off
as $$
begin
    return query
    select place.leaf_index, substr(tile.hashes, ((place.leaf_index & 255) * 32 + 1)::int, 32)
    from generate_series(_leaves.first_leaf, _leaves.first_leaf + _leaves.entries - 1) as place (leaf_index)
    left join pgtrail.tile as tile
        on tile.log_id = 1 and tile.level = 0 and tile.tile_index = place.leaf_index >> 8;
end;
$$;

revoke all on function pgtrail._leaves from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._leaves is 'Returns leaves of the log with their hashes; null where the tile is missing.';

create or replace function pgtrail._left_subtree_size(size bigint)
    returns bigint
    language plpgsql immutable strict parallel safe
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_power bigint := 1::bigint;
begin
    while v_power << 1 < _left_subtree_size.size loop
        v_power := v_power << 1;
    end loop;
    return v_power;
end;
$$;

revoke all on function pgtrail._left_subtree_size from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._left_subtree_size is
    'Returns the largest power of two below size: where RFC 6962 splits a tree of that many leaves (2 or more).';

create or replace function pgtrail._raise_tiles(log_id int, from_size bigint, to_size bigint)
    returns void
    language plpgsql
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_level int := 0;
    v_first bigint;
    v_last bigint;
begin
    loop
        -- Tiles [v_first, v_last) of this level became full.
        v_first := _raise_tiles.from_size >> (8 * (v_level + 1));
        v_last := _raise_tiles.to_size >> (8 * (v_level + 1));
        exit when v_first = v_last;
        insert into pgtrail.tile as tile (log_id, level, tile_index, hashes)
        select _raise_tiles.log_id, v_level + 1, child.tile_index >> 8,
            string_agg(pgtrail._subtree_hash(child.hashes), ''::bytea order by child.tile_index)
        from pgtrail.tile as child
        where child.log_id = _raise_tiles.log_id
            and child.level = v_level
            and child.tile_index >= v_first and child.tile_index < v_last
        group by child.tile_index >> 8
        on conflict on constraint tile_pkey do update set hashes = tile.hashes || excluded.hashes;
        v_level := v_level + 1;
    end loop;
end;
$$;

revoke all on function pgtrail._raise_tiles from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._raise_tiles is
    'Hashes the tiles that became full between two sizes of the tree into the levels above (C2SP tlog-tiles: only full '
    'tiles are hashed upwards).';

-- The binary decomposition of [from_leaf, to_leaf), from the right: each perfect subtree is a slice of one tile.
create or replace function pgtrail._range_hash(log_id int, from_leaf bigint, to_leaf bigint)
    returns bytea
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_rest bigint := _range_hash.to_leaf - _range_hash.from_leaf;
    v_end bigint := _range_hash.to_leaf;
    v_height int := 0;
    v_start bigint;
    v_slice bytea;
    v_hash bytea;
begin
    if v_rest = 0 then
        return sha256(''::bytea);
    end if;
    while v_rest > 0 loop
        if v_rest & 1 = 1 then
            v_end := v_end - (1::bigint << v_height);
            -- The tile of level height / 8 in units of 256^level leaves.
            v_start := v_end >> (v_height / 8 * 8);
            select substr(tile.hashes, ((v_start & 255) * 32 + 1)::int, 32 << (v_height % 8)) into v_slice
            from pgtrail.tile as tile
            where tile.log_id = _range_hash.log_id
                and tile.level = v_height / 8
                and tile.tile_index = v_start >> 8;
            if octet_length(v_slice) is distinct from 32 << (v_height % 8) then
                raise exception 'the log lacks a part of the tree'
                    using errcode = 'data_corrupted',
                          detail = format('tile %s of level %s', v_start >> 8, v_height / 8),
                          hint = 'Run pgtrail.verify() and restore pgtrail.tile from a backup or from exported tiles.';
            end if;
            v_slice := pgtrail._subtree_hash(v_slice);
            v_hash := case
                when v_hash is null then v_slice
                else sha256('\x01'::bytea || v_slice || v_hash)
            end;
        end if;
        v_rest := v_rest >> 1;
        v_height := v_height + 1;
    end loop;
    return v_hash;
end;
$$;

revoke all on function pgtrail._range_hash from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._range_hash is
    'Returns the hash of the leaves [from_leaf, to_leaf) as RFC 6962, section 2.1, nests them. from_leaf is a '
    'multiple of the largest power of two below the length of the range. Raises XX001 when a tile is missing or too '
    'short.';

-- One query a round for many hashes, a loop for few: measured at 256 hashes, this takes two thirds of the time of
-- queries alone and half of that of loops alone.
create or replace function pgtrail._subtree_hash(hashes bytea)
    returns bytea
    language plpgsql immutable strict parallel safe
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_hashes bytea := _subtree_hash.hashes;
    v_parents bytea;
begin
    while octet_length(v_hashes) > 32 loop
        if octet_length(v_hashes) >= 2048 then
            select string_agg(sha256('\x01'::bytea || substr(v_hashes, n * 64 + 1, 64)), ''::bytea order by n)
            into v_parents
            from generate_series(0, octet_length(v_hashes) / 64 - 1) as n;
        else
            v_parents := ''::bytea;
            for n in 0 .. octet_length(v_hashes) / 64 - 1 loop
                v_parents := v_parents || sha256('\x01'::bytea || substr(v_hashes, n * 64 + 1, 64));
            end loop;
        end if;
        v_hashes := v_parents;
    end loop;
    return v_hashes;
end;
$$;

revoke all on function pgtrail._subtree_hash from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._subtree_hash is
    'Returns the root of a perfect tree over 1, 2, 4, ... 256 hashes of 32 bytes (RFC 6962: sha256(0x01 || left || '
    'right)).';

create or replace function pgtrail.tiles(level int, tile_indexes bigint[])
    returns table (tile_index bigint, hashes bytea)
    language plpgsql stable security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select tile.tile_index, tile.hashes
    from pgtrail.tile as tile
    where tile.log_id = 1
        and tile.level = tiles.level
        and tile.tile_index = any (tiles.tile_indexes)
    order by tile.tile_index;
end;
$$;

revoke all on function pgtrail.tiles from public, anon, authenticated, service_role;
grant execute on function pgtrail.tiles to pgtrail_auditor;
comment on function pgtrail.tiles is
    'Returns tiles of a level of the log (C2SP tlog-tiles), with up to 256 hashes of 32 bytes each; those that the log '
    'does not have are left out.';

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

create or replace function pgtrail._batch_order_defects()
    returns table (defect text, trail_name text, entry_id uuid, detail text)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select 'log damaged'::text, null::text, null::uuid,
        format('the batch at leaf %s does not continue the one before it', link.first_leaf)
    from (
        select batch.first_leaf,
            lag(batch.first_leaf + batch.entries, 1, 0::bigint) over leaves as expected_leaf,
            batch.era < lag(batch.era, 1, 0::smallint) over leaves as goes_back,
            row(batch.from_tx_id, batch.from_trail_name, batch.from_entry_id)::pgtrail.log_position = coalesce(
                lag(row(batch.to_tx_id, batch.to_trail_name, batch.to_entry_id)::pgtrail.log_position) over positions,
                pgtrail._position_before('0'::xid8)) as continues
        from pgtrail.batch as batch
        where batch.log_id = 1
        window leaves as (order by batch.first_leaf), positions as (partition by batch.era order by batch.first_leaf)
    ) as link
    where link.first_leaf <> link.expected_leaf or link.goes_back or not link.continues;
end;
$$;

revoke all on function pgtrail._batch_order_defects from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._batch_order_defects is
    'Returns a defect for each batch that does not follow the one before it, in leaves and in positions.';

-- Of level 0 all are looked at that the batch has leaves in; of the levels above, those that became full with it.
create or replace function pgtrail._damaged_tiles(batch pgtrail.batch, tree_size bigint)
    returns table (level int, tile_index bigint)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set jit = off
as $$
declare
    v_first bigint := (_damaged_tiles.batch).first_leaf;
    v_end bigint := (_damaged_tiles.batch).first_leaf + (_damaged_tiles.batch).entries;
begin
    return query
    select place.level, place.tile_index
    from (
        select 0 as level, own.tile_index
        from generate_series(v_first >> 8, (v_end - 1) >> 8) as own (tile_index)
        union all
        select above.level, own.tile_index
        from generate_series(1, 6) as above (level)
        cross join generate_series(v_first >> (8 * (above.level + 1)), (v_end >> (8 * (above.level + 1))) - 1)
            as own (tile_index)
    ) as place
    left join pgtrail.tile as child
        on child.log_id = 1 and child.level = place.level and child.tile_index = place.tile_index
    left join pgtrail.tile as parent
        on parent.log_id = 1 and parent.level = place.level + 1 and parent.tile_index = place.tile_index >> 8
    where coalesce(octet_length(child.hashes), 0)
            < 32 * least(256, (_damaged_tiles.tree_size >> (8 * place.level)) - place.tile_index * 256)
        or octet_length(child.hashes) = 8192
            and substr(parent.hashes, ((place.tile_index & 255) * 32 + 1)::int, 32)
                is distinct from pgtrail._subtree_hash(child.hashes)
    order by place.level, place.tile_index;
end;
$$;

revoke all on function pgtrail._damaged_tiles from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._damaged_tiles is
    'Returns the tiles of a batch that are missing, too short, or not what the level above has of them.';

create or replace function pgtrail._exception_defects()
    returns table (defect text, trail_name text, entry_id uuid, detail text)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_size bigint;
    v_version smallint;
begin
    select head.tree_size into strict v_size from pgtrail.log as head where head.log_id = 1;

    return query
    select 'inserted'::text, late.trail_name, late.entry_id, 'is listed as late at a leaf that the log does not have'
    from pgtrail.late_entry as late
    where late.log_id = 1 and late.leaf_index not between 0 and v_size - 1;

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
end;
$$;

revoke all on function pgtrail._exception_defects from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._exception_defects is
    'Returns a defect for each entry that is listed as late or as unsealable, and is not.';

-- Between the end of an era's batches and its position nothing was left when it was sealed.
create or replace function pgtrail._gap_defects()
    returns table (defect text, trail_name text, entry_id uuid, detail text)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set jit = off
as $$
declare
    v_log pgtrail.log;
begin
    select head.* into strict v_log from pgtrail.log as head where head.log_id = 1;
    return query
    select 'inserted'::text, entries.trail_name, entries.entry_id, 'lies below the watermark and is in no batch'
    from (
        select distinct on (era.era) era.era::smallint as era,
            case when batch.first_leaf is null then pgtrail._position_before('0'::xid8)
                else pgtrail._batch_end(batch) end as behind,
            case when era.era = v_log.era then pgtrail._head_position(v_log) else pgtrail._era_end() end as up_to
        from generate_series(0, v_log.era) as era
        left join pgtrail.batch as batch on batch.log_id = 1 and batch.era = era.era
        order by era.era, batch.first_leaf desc nulls last
    ) as gap
    cross join lateral pgtrail._encoded_entries(
        gap.era, gap.behind, gap.up_to, null, null,
        pgtrail._readable_trails((gap.behind).tx_id, (gap.up_to).tx_id)) as entries
    where gap.behind <> gap.up_to;
end;
$$;

revoke all on function pgtrail._gap_defects from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._gap_defects is
    'Returns a defect for each entry that lies below the watermark of its era and is in no batch.';

create or replace function pgtrail._head_defects()
    returns table (defect text, trail_name text, entry_id uuid, detail text)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set jit = off
as $$
declare
    v_log pgtrail.log;
    v_last pgtrail.batch;
begin
    select head.* into strict v_log from pgtrail.log as head where head.log_id = 1;
    select batch.* into v_last
    from pgtrail.batch as batch
    where batch.log_id = 1
    order by batch.first_leaf desc
    limit 1;

    return query
    select 'log damaged'::text, null::text, null::uuid, wrong.detail
    from (values
        (
            v_last.era > v_log.era
                or v_last.era = v_log.era and pgtrail._batch_end(v_last) > pgtrail._head_position(v_log),
            'the position of the log lies before the end of its last batch'
        ),
        (
            v_log.tx_id > pgtrail._next_tx_id(v_log),
            'the position of the log lies in a transaction that has not begun'
        ),
        (
            v_log.origin is distinct from (
                select used.origin from pgtrail.origin as used
                where used.log_id = 1
                order by used.started_at desc
                limit 1),
            'the origin of the log is not the one that pgtrail.origin has last'
        ),
        (
            v_log.tree_size <> coalesce(v_last.first_leaf + v_last.entries, 0),
            format('the log has %s leaves, its batches end at %s', v_log.tree_size,
                   coalesce(v_last.first_leaf + v_last.entries, 0))
        )
    ) as wrong (found, detail)
    where wrong.found;

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
end;
$$;

revoke all on function pgtrail._head_defects from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._head_defects is
    'Returns the defects of the head of the log: its position, origin, size and root, and tiles beyond its size.';

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

-- Before seal() has noticed a restore into another cluster, transaction ids there say nothing.
create or replace function pgtrail._next_tx_id(head pgtrail.log)
    returns xid8
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
begin
    return (
        select case
            when control.system_identifier = (_next_tx_id.head).system_identifier
                then pg_snapshot_xmax(pg_current_snapshot())
            else (pgtrail._era_end()).tx_id
        end
        from pg_control_system() as control
    );
end;
$$;

revoke all on function pgtrail._next_tx_id from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._next_tx_id is 'Returns the transaction that is the next to begin in the era of the log.';

create or replace function pgtrail._published_checkpoint_defects(checkpoints int)
    returns table (defect text, trail_name text, entry_id uuid, detail text)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select 'published checkpoint does not fit'::text, null::text, null::uuid,
        format('%s had another root at size %s', published.origin, published.tree_size)
    from (
        select kept.*
        from pgtrail.published_checkpoint as kept
        where kept.log_id = 1
        order by kept.published_at desc
        limit _published_checkpoint_defects.checkpoints
    ) as published
    where split_part(published.note, E'\n\n', 1) <> concat_ws(
            E'\n', published.origin, published.tree_size, encode(published.root, 'base64'))
        or published.origin = (select head.origin from pgtrail.log as head where head.log_id = 1)
            and not pgtrail.verify_checkpoint(published.tree_size, published.root);
end;
$$;

revoke all on function pgtrail._published_checkpoint_defects
    from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._published_checkpoint_defects is
    'Returns a defect for each of the newest published checkpoints, or of all (null), that the log does not fit.';

create or replace function pgtrail._readable_trails(from_tx_id xid8, to_tx_id xid8)
    returns text[]
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
begin
    return array(
        select present.trail_name
        from unnest(pgtrail._trails_between(_readable_trails.from_tx_id, _readable_trails.to_tx_id))
            as present (trail_name)
        where exists (
            select from pgtrail.entry_format as format where format.trail_name = present.trail_name)
    );
end;
$$;

revoke all on function pgtrail._readable_trails from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._readable_trails is
    'Returns the trails that have entries of the transactions from from_tx_id to to_tx_id and a format to read them '
    'by.';

create or replace function pgtrail._registry_defects()
    returns table (defect text, trail_name text, entry_id uuid, detail text)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_log pgtrail.log;
begin
    select head.* into strict v_log from pgtrail.log as head where head.log_id = 1;

    return query
    select 'log damaged'::text, registered.trail_name, null::uuid, 'pgtrail.entry_format has no format of its entries'
    from pgtrail.trail as registered
    where not exists (
        select from pgtrail.entry_format as format where format.trail_name = registered.trail_name);

    return query
    select 'log damaged'::text, registered.trail_name, null::uuid,
        format('new entries get era %s, the log is in era %s',
               pg_get_expr(expression.adbin, expression.adrelid), v_log.era)
    from pgtrail.trail as registered
    join pg_catalog.pg_attribute as attribute on attribute.attrelid = registered.relation and attribute.attname = 'era'
    left join pg_catalog.pg_attrdef as expression
        on expression.adrelid = attribute.attrelid and expression.adnum = attribute.attnum
    where pg_get_expr(expression.adbin, expression.adrelid) !~ format('^''?%s''?(::smallint)?$', v_log.era);
end;
$$;

revoke all on function pgtrail._registry_defects from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._registry_defects is
    'Returns the defects of what the log knows of trails: a missing entry format, and another era than '
    'that of the log.';

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

create or replace function pgtrail.batch_at(leaf_index bigint)
    returns table (first_leaf bigint, next_leaf bigint)
    language plpgsql stable security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select batch.first_leaf, batch.first_leaf + batch.entries
    from pgtrail.batch as batch
    where batch.log_id = 1 and batch.first_leaf + batch.entries > batch_at.leaf_index
    order by batch.first_leaf
    limit 1;
end;
$$;

revoke all on function pgtrail.batch_at from public, anon, authenticated, service_role;
grant execute on function pgtrail.batch_at to pgtrail_auditor;
comment on function pgtrail.batch_at is
    'Returns the batch that has a leaf, or the first one behind it: its first leaf, for verify_batch(), and the leaf '
    'behind its last. No row behind the last batch.';

create or replace function pgtrail.verify(trail regclass default null)
    returns table (defect text, trail_name text, entry_id uuid, detail text)
    language plpgsql stable security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_trail text := case when verify.trail is not null then pgtrail.trail_name(verify.trail) end;
    v_first_leaf bigint;
begin
    return query
    select found.defect, found.trail_name, found.entry_id, found.detail
    from pgtrail.verify_head() as found
    where found.trail_name = v_trail or found.trail_name is null or v_trail is null;

    for v_first_leaf in
        select batch.first_leaf
        from pgtrail.batch as batch
        where batch.log_id = 1
            and (v_trail is null or exists (
                select from pgtrail.batch_content as content
                where content.log_id = 1
                    and content.first_leaf = batch.first_leaf
                    and content.trail_name = v_trail))
        order by batch.first_leaf
    loop
        return query
        select found.defect, found.trail_name, found.entry_id, found.detail
        from pgtrail.verify_batch(v_first_leaf) as found
        where found.trail_name = v_trail or found.trail_name is null or v_trail is null;
    end loop;
end;
$$;

revoke all on function pgtrail.verify from public, anon, authenticated, service_role;
grant execute on function pgtrail.verify to pgtrail_auditor;
comment on function pgtrail.verify is
    'Recomputes the log, or the batches that hold entries of one trail, from the entries and returns every defect; '
    'no row when all is intact. Batch by batch, in bounded memory. What a rewrite of entries and log together hides '
    'is found by verify_checkpoint with a checkpoint that was published before. Raises 22023 (no trail).';

-- A batch is compared as a set: leaf hashes of its tiles against the entries that lie between its positions.
create or replace function pgtrail.verify_batch(first_leaf bigint)
    returns table (defect text, trail_name text, entry_id uuid, detail text)
    language plpgsql stable security definer
    set search_path = pg_catalog, pg_temp
    set jit = off
as $$
declare
    v_log pgtrail.log;
    v_batch pgtrail.batch;
    v_size bigint;
    v_tile record;
    v_damaged bigint[] := '{}'::bigint[];
    v_content bigint;
begin
    select head.* into strict v_log from pgtrail.log as head where head.log_id = 1;
    select batch.* into v_batch
    from pgtrail.batch as batch
    where batch.log_id = 1 and batch.first_leaf = verify_batch.first_leaf;
    if v_batch.first_leaf is null then
        raise exception 'no batch begins with this leaf'
            using errcode = 'PT404',
                  detail = format('leaf %s', coalesce(verify_batch.first_leaf::text, 'null')),
                  hint = 'Batches are listed in pgtrail.batch.';
    end if;
    v_size := v_batch.first_leaf + v_batch.entries;

    -- Tiles come first: a leaf that a damaged tile holds says nothing about its entry.
    for v_tile in select damaged.* from pgtrail._damaged_tiles(v_batch, v_log.tree_size) as damaged loop
        if v_tile.level = 0 then
            v_damaged := v_damaged || v_tile.tile_index;
        end if;
        defect := 'tile damaged';
        detail := format('tile %s of level %s is not what its place in the tree says', v_tile.tile_index, v_tile.level);
        return next;
    end loop;
    -- The last tile of the log has no level above yet: the root of the log vouches for it.
    if (v_size - 1) >> 8 = v_log.tree_size >> 8 and not pgtrail.verify_checkpoint(v_log.tree_size, v_log.root) then
        v_damaged := v_damaged || ((v_size - 1) >> 8);
    end if;

    if not pgtrail.verify_checkpoint(v_size, v_batch.root) then
        defect := 'root mismatch';
        detail := format('the tiles do not give the root of tree size %s', v_size);
        return next;
    end if;

    select coalesce(sum(content.entries), 0) into v_content
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

    return query select found.* from pgtrail._batch_entry_defects(v_batch, v_damaged) as found;
end;
$$;

revoke all on function pgtrail.verify_batch from public, anon, authenticated, service_role;
grant execute on function pgtrail.verify_batch to pgtrail_auditor;
comment on function pgtrail.verify_batch is
    'Recomputes one batch of the log from its entries and returns what does not fit; no row when it is intact. '
    'Defects: altered, missing, inserted (below the watermark), tile damaged, root mismatch, log damaged. Entries '
    'that a retention policy purged and columns that were erased are none. Raises PT404 when no batch begins with '
    'that leaf.';

create or replace function pgtrail.verify_checkpoint(tree_size bigint, root bytea)
    returns boolean
    language plpgsql stable security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_size bigint;
begin
    select head.tree_size into strict v_size from pgtrail.log as head where head.log_id = 1;
    return coalesce(
        verify_checkpoint.tree_size between 0 and v_size
        and pgtrail._range_hash(1, 0, verify_checkpoint.tree_size) = verify_checkpoint.root,
        false);
exception
    -- A tree with a hole in it does not hold what it held.
    when data_corrupted then
        return false;
end;
$$;

revoke all on function pgtrail.verify_checkpoint from public, anon, authenticated, service_role;
grant execute on function pgtrail.verify_checkpoint to pgtrail_auditor;
comment on function pgtrail.verify_checkpoint is
    'Tells whether the log still has, at that size, the root hash that was published. False when the log is '
    'shorter: after a point-in-time recovery, or when its end was cut off.';

create or replace function pgtrail.verify_head(checkpoints int default null)
    returns table (defect text, trail_name text, entry_id uuid, detail text)
    language plpgsql stable security definer
    set search_path = pg_catalog, pg_temp
    set jit = off
as $$
begin
    return query
    select found.* from pgtrail._batch_order_defects() as found
    union all
    select found.* from pgtrail._head_defects() as found
    union all
    select found.* from pgtrail._gap_defects() as found
    union all
    select found.* from pgtrail._registry_defects() as found
    union all
    select found.* from pgtrail._exception_defects() as found
    union all
    select found.* from pgtrail._unreachable_entry_defects(every_era => verify_head.checkpoints is null) as found
    union all
    select found.* from pgtrail._published_checkpoint_defects(verify_head.checkpoints) as found;
end;
$$;

revoke all on function pgtrail.verify_head from public, anon, authenticated, service_role;
grant execute on function pgtrail.verify_head to pgtrail_auditor;
comment on function pgtrail.verify_head is
    'Returns the defects of the log that belong to no batch: a broken order of batches, a head that the tiles do not '
    'give, entries below the watermark that are in no batch or that no seal will take, exceptions that are none, '
    'published checkpoints that no longer fit. With a number of checkpoints it is bounded: of those only the newest '
    'are looked at, and not every entry for its era.';

-- Sealing each minute makes 1,440 batches a day, so a slice is bounded by time rather than by number.
create or replace function pgtrail.verify_slice(batches int default 10000)
    returns table (defect text, trail_name text, entry_id uuid, detail text)
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    c_longest constant interval := interval '10 seconds';
    v_started timestamptz := clock_timestamp();
    v_first_leaf bigint;
    v_next bigint := 0::bigint;
begin
    if (verify_slice.batches > 0) is not true then
        raise exception 'batches must be 1 or more'
            using errcode = 'invalid_parameter_value',
                  detail = format('got %s', coalesce(verify_slice.batches::text, 'null')),
                  hint = 'Leave it out to verify for up to 10 seconds.';
    end if;

    return query select found.* from pgtrail.verify_head(100) as found;

    for v_first_leaf, v_next in
        select batch.first_leaf, batch.first_leaf + batch.entries
        from pgtrail.batch as batch
        where batch.log_id = 1
            and batch.first_leaf >= (select head.verified_leaf from pgtrail.log as head where head.log_id = 1)
        order by batch.first_leaf
        limit verify_slice.batches
    loop
        return query select found.* from pgtrail.verify_batch(v_first_leaf) as found;
        exit when clock_timestamp() > v_started + c_longest;
    end loop;

    -- Behind the last batch it begins again.
    update pgtrail.log as head
    set verified_leaf = case when v_next < head.tree_size then v_next else 0 end,
        verified_at = clock_timestamp()
    where head.log_id = 1;
end;
$$;

revoke all on function pgtrail.verify_slice from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail.verify_slice is
    'Verifies the head of the log and the next batches for up to 10 seconds, goes on where it stopped the last time, '
    'begins again at the end, and returns the defects. For regular calls. Raises 22023 (batches).';

drop policy if exists select_auditor on pgtrail.failed_write;
create policy select_auditor on pgtrail.failed_write for select to pgtrail_auditor using (true);

drop policy if exists select_member on pgtrail.rollup;
create policy select_member on pgtrail.rollup for select to authenticated
    using (organisation_id = any ((select pgtrail.readable_organisations())::uuid[]));
drop policy if exists select_auditor on pgtrail.rollup;
create policy select_auditor on pgtrail.rollup for select to pgtrail_auditor using (true);
drop policy if exists select_service on pgtrail.rollup;
create policy select_service on pgtrail.rollup for select to service_role using (true);

drop policy if exists select_auditor on pgtrail.tracked_table;
create policy select_auditor on pgtrail.tracked_table for select to pgtrail_auditor using (true);
-- service_role calls pgtrail.row_at().
drop policy if exists select_service on pgtrail.tracked_table;
create policy select_service on pgtrail.tracked_table for select to service_role using (true);

reset role;
