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
