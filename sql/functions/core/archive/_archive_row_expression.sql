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
