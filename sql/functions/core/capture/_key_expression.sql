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
