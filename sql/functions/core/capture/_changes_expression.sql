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
