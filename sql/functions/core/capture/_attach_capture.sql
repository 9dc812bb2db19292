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
