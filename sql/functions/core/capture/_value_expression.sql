create or replace function pgtrail._value_expression(type oid, value text)
    returns text
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_type pg_catalog.pg_type;
begin
    select base.* into strict v_type
    from pg_catalog.pg_type as own
    join pg_catalog.pg_type as base on base.oid = coalesce(nullif(own.typbasetype, 0), own.oid)
    where own.oid = _value_expression.type;

    return case
        when v_type.typlen > 0 then _value_expression.value
        when v_type.oid = 'bytea'::regtype then format(
            $expression$case when octet_length(%1$s) <= 4096 then to_jsonb('\x' || encode(%1$s, 'hex'))
                else pgtrail._shortened_value('\x' || encode(%1$s, 'hex')) end$expression$,
            _value_expression.value)
        else format(
            'case when octet_length(%1$s::text) <= 8192 then to_jsonb(%1$s) '
            'else pgtrail._shortened_value(%1$s::text) end',
            _value_expression.value)
    end;
end;
$$;

revoke all on function pgtrail._value_expression from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._value_expression is
    'Returns the SQL expression of a value of a type as jsonb_build_object() is to take it to be captured: as it is, '
    'bytea as hex, and what is longer than 8,192 bytes as text shortened.';
