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
