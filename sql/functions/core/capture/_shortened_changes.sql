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
