-- Values are compared by their bytes: a change of case that a collation calls equal is a change. IS NOT DISTINCT FROM
-- NULL, because a composite value of NULLs alone IS NULL.
-- Both transition tables of an update have its rows in the same order, so their numbers pair them, whatever happens to
-- the primary key. uuid7() is volatile: that keeps the planner from evaluating a diff once for each place it is used
-- in.
create or replace function pgtrail._capture_query(tracked pgtrail.tracked_table, operation text)
    returns text
    language plpgsql
    stable
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
                then pgtrail._shorten_changes(change.changes) else change.changes end as changes,
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
    v_differs text := 'row(old.%1$I)::record operator(pg_catalog.*<>) row(new.%1$I)::record';
    v_rekeyed text;
    v_organisation text;
    v_inserted text;
    v_deleted text;
    v_updated text;
    v_old text;
    v_new text;
    v_both text;
begin
    if _capture_query.operation = 'TRUNCATE' then
        return format(c_query, (_capture_query.tracked).entity_type, format(
            c_change, 'null::uuid', quote_literal(v_table || '.truncated'), 'null::text', 'null::jsonb',
            '''{}''::jsonb', ''));
    end if;

    select quote_ident(attribute.attname) into v_organisation
    from pg_catalog.pg_attribute as attribute
    where attribute.attrelid = v_relation and attribute.attname = (_capture_query.tracked).organisation_column
        and attribute.atttypid = 'uuid'::regtype and not attribute.attisdropped;

    select string_agg(format(
            'case when new.%1$I is not distinct from null then ''{}'' else jsonb_build_object(%1$L, %2$s) end',
            part.name, case when part.redacted then part.hidden
                else format('jsonb_build_object(''new'', %s)', part.new_value) end), ' || ' order by part.attnum),
        string_agg(format(
            'case when old.%1$I is not distinct from null then ''{}'' else jsonb_build_object(%1$L, %2$s) end',
            part.name, case when part.redacted then part.hidden
                else format('jsonb_build_object(''old'', %s)', part.old_value) end), ' || ' order by part.attnum),
        string_agg(format(
            'case when ' || v_differs || ' then jsonb_build_object(%1$L, %2$s) else ''{}'' end',
            part.name,
            case
                when part.redacted then part.hidden
                -- A side that is absent is NULL; null is the null of JSON.
                when part.is_json then format(
                    'case when old.%1$I is null then ''{}'' else jsonb_build_object(''old'', %2$s) end '
                    '|| case when new.%1$I is null then ''{}'' else jsonb_build_object(''new'', %3$s) end',
                    part.name, part.old_value, part.new_value)
                else format('jsonb_build_object(''old'', %s, ''new'', %s)', part.old_value, part.new_value)
            end), ' || ' order by part.attnum)
    into v_inserted, v_deleted, v_updated
    from (
        select attribute.attnum, attribute.attname as name,
            attribute.attname = any ((_capture_query.tracked).redacted) as redacted,
            'jsonb_build_object(''redacted'', true)' as hidden,
            coalesce(nullif(type.typbasetype, 0), type.oid) in ('json'::regtype, 'jsonb'::regtype) as is_json,
            pgtrail._value_expression(type.oid, format('old.%I', attribute.attname)) as old_value,
            pgtrail._value_expression(type.oid, format('new.%I', attribute.attname)) as new_value
        from pg_catalog.pg_attribute as attribute
        join pg_catalog.pg_type as type on type.oid = attribute.atttypid
        where attribute.attrelid = v_relation
            and attribute.attnum > 0
            and not attribute.attisdropped
            and attribute.attgenerated <> 'v'
            and attribute.attname <> all ((_capture_query.tracked).excluded)
    ) as part;
    v_inserted := coalesce('(' || v_inserted || ')', '''{}''::jsonb');
    v_deleted := coalesce('(' || v_deleted || ')', '''{}''::jsonb');
    v_updated := coalesce('(' || v_updated || ')', '''{}''::jsonb');

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
            c_change, coalesce('new.' || v_organisation, 'null::uuid'), quote_literal(v_table || '.inserted'),
            v_new_key, v_inserted, '''{}''::jsonb', v_new)
        when 'DELETE' then format(
            c_change, coalesce('old.' || v_organisation, 'null::uuid'), quote_literal(v_table || '.deleted'),
            v_old_key, v_deleted, '''{}''::jsonb', v_old)
        when 'UPDATE' then format(
            'select diff.* from (' || c_change || ') as diff where diff.changes <> ''{}''',
            coalesce('new.' || v_organisation, 'null::uuid'), quote_literal(v_table || '.updated'),
            v_new_key, v_updated, '''{}''::jsonb', v_both || ' where not (' || v_rekeyed || ')')
        when 'REKEYED FROM' then format(
            c_change, coalesce('old.' || v_organisation, 'null::uuid'), quote_literal(v_table || '.rekeyed_from'),
            v_old_key, v_deleted, format('jsonb_build_object(''new_key'', %s)', v_new_key),
            v_both || ' where ' || v_rekeyed)
        when 'REKEYED TO' then format(
            c_change, coalesce('new.' || v_organisation, 'null::uuid'), quote_literal(v_table || '.rekeyed_to'),
            v_new_key, v_inserted, format('jsonb_build_object(''old_key'', %s)', v_old_key),
            v_both || ' where ' || v_rekeyed)
    end);
end;
$$;

revoke all on function pgtrail._capture_query(pgtrail.tracked_table, text)
    from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._capture_query(pgtrail.tracked_table, text) is
    'Returns the SELECT of the entries that an INSERT, UPDATE, DELETE or TRUNCATE of a table makes, of an UPDATE for '
    'rows that keep their key, and, as REKEYED FROM and REKEYED TO, for those that do not; for its trigger '
    'function: with level statement from old_rows and new_rows, with level row from the rows $1 and $2.';
