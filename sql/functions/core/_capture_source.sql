-- After the statement, from its transition tables: measured, a row of a bulk change then costs a third or less of what
-- it costs after the row, because the executor is started once and not for each entry, and a single row costs the same.
-- Static SQL, planned once a session.
create or replace function pgtrail._capture_source(tracked pgtrail.tracked_table)
    returns text
    language plpgsql
    stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    c_insert constant text :=
        'insert into public.audit_log (id, organisation_id, actor_id, actor_kind, impersonator_id, database_role, '
        'action, entity_type, entity_id, changes, details, ip_address, user_agent, request_id, trace_id) ';
    c_operations constant text :=
        'case tg_op when ''UPDATE'' then array[''REKEYED FROM'', ''UPDATE'', ''REKEYED TO''] else array[tg_op] end';
    v_tracked pgtrail.tracked_table := _capture_source.tracked;
    v_row bool := v_tracked.level = 'row';
    v_queries jsonb := '{}'::jsonb;
    v_query text;
    v_operation text;
    v_columns text;
    v_old_key text := pgtrail._key_expression(v_tracked.relation, 'old');
    v_new_key text := pgtrail._key_expression(v_tracked.relation, 'new');
begin
    foreach v_operation in array array['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE'] loop
        v_query := c_insert || pgtrail._capture_query(v_tracked, v_operation);
        if v_row then
            v_query := replace(replace(v_query, 'select ($1).*', 'select old.*'), 'select ($2).*', 'select new.*');
        end if;
        v_queries := v_queries || jsonb_build_object(v_operation, v_query);
    end loop;

    -- Names, and types as far as pgtrail_owner may name them. That is all that queries depend on.
    select coalesce(string_agg(
        case when type.typnamespace = 'pg_catalog'::regnamespace
            then format('coalesce(%%1$s.%s, null::%s)', replace(quote_ident(attribute.attname), '%', '%%'),
                        format_type(attribute.atttypid, attribute.atttypmod))
            else format('%%1$s.%s', replace(quote_ident(attribute.attname), '%', '%%')) end,
        ', ' order by attribute.attnum), '')
    into v_columns
    from pg_catalog.pg_attribute as attribute
    join pg_catalog.pg_type as type on type.oid = attribute.atttypid
    where attribute.attrelid = v_tracked.relation and attribute.attnum > 0 and not attribute.attisdropped
        and attribute.attgenerated <> 'v';

    return format(
        $body$
#variable_conflict use_column
declare
    v_generic bool := false;
    v_operation text;
begin
    if tg_op <> 'TRUNCATE' then
        begin
            if (select class.relnatts from %1$s) <> %2$s then
                raise undefined_column;
            end if;
            if tg_op = 'DELETE' then
                perform %3$s where false;
            else
                perform %4$s where false;
            end if;
            -- Rare, so not worth a plan kept for it.
            if tg_op = 'UPDATE' then
                v_generic := %9$s;
            end if;
        exception
            -- The table was altered since: it is captured as it is now. refresh_tracking() makes that fast again.
            when others then
                v_generic := true;
        end;
    end if;
    %6$sif v_generic then
        foreach v_operation in array %10$s loop
            execute %7$L || pgtrail._query_of(%5$L, v_operation) using old, new;
        end loop;
    elsif tg_op = 'INSERT' then
        %8$s;
    elsif tg_op = 'UPDATE' then
        %11$s;
    elsif tg_op = 'DELETE' then
        %12$s;
    else
        %13$s;
    end if;%14$s
    return null;
end;$body$,
        case when v_row
            then format(
                'pgtrail.tracked_table as known join pg_catalog.pg_class as class on class.oid = known.relation '
                'where known.entity_type = %L', v_tracked.entity_type)
            else 'pg_catalog.pg_class as class where class.oid = tg_relid' end,
        (select class.relnatts from pg_catalog.pg_class as class where class.oid = v_tracked.relation),
        format(v_columns, 'old') || case when v_row then '' else ' from old_rows as old' end,
        format(v_columns, 'new') || case when v_row then '' else ' from new_rows as new' end,
        v_tracked.entity_type,
        case v_tracked.on_failure when 'warn' then E'begin\n    ' else '' end,
        c_insert,
        v_queries ->> 'INSERT',
        -- Both transition tables have the rows of an update in the same order.
        case
            when v_row then format('%s is distinct from %s', v_old_key, v_new_key)
            else format(
                '(select array_agg(%s) from old_rows as old) <> (select array_agg(%s) from new_rows as new)',
                v_old_key, v_new_key)
        end,
        -- All old keys before all new ones: a statement may hand the key of one row on to another.
        c_operations,
        v_queries ->> 'UPDATE',
        v_queries ->> 'DELETE',
        v_queries ->> 'TRUNCATE',
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
                    execute %2$L || pgtrail._query_of(%1$L, v_operation) || %3$L into v_some using old, new;
                    v_entries := v_entries || v_some;
                end loop;
                perform pgtrail._keep_failed_writes(%1$L, v_entries, v_state, v_message);
            end;
    end;$warn$,
            v_tracked.entity_type,
            'select coalesce(jsonb_agg(to_jsonb(entry) order by entry.id), ''[]'') from (', ') as entry',
            c_operations)
        else '' end);
end;
$$;

revoke all on function pgtrail._capture_source(pgtrail.tracked_table)
    from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._capture_source(pgtrail.tracked_table) is
    'Returns the body of the trigger function that captures a table.';
