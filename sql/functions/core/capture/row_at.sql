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
