-- Definer: callers may not read the registry and the log. It returns a query, and the caller runs it.
create or replace function pgtrail._uncounted_query(
    trail_name      text,
    organisation_id uuid,
    from_at         timestamptz,
    to_at           timestamptz,
    from_hour       timestamptz,
    to_hour         timestamptz
)
    returns text
    language plpgsql stable security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_relation regclass;
    v_parts text[] := '{}'::text[];
    v_part record;
begin
    select registered.relation into v_relation
    from pgtrail.trail as registered
    where registered.trail_name = _uncounted_query.trail_name;
    if v_relation is null then
        raise exception 'there is no trail named "%"', coalesce(_uncounted_query.trail_name, 'null')
            using errcode = 'PT404',
                  hint = 'Name a trail without its schema, such as audit_log.';
    end if;

    for v_part in
        select part.from_at, part.to_at, part.condition
        from (values
            (_uncounted_query.from_at, _uncounted_query.from_hour, 'true'),
            (
                _uncounted_query.from_hour, _uncounted_query.to_hour,
                pgtrail._unsealed_condition(_uncounted_query.trail_name)
            ),
            (_uncounted_query.to_hour, _uncounted_query.to_at, 'true')
        ) as part (from_at, to_at, condition)
        where part.from_at < part.to_at
    loop
        v_parts := v_parts || array_to_string(array[
            'select', pgtrail._counted_columns_expression(_uncounted_query.trail_name), 'from', v_relation::text,
            'as entry where',
            pgtrail._organisation_condition(_uncounted_query.trail_name, _uncounted_query.organisation_id), 'and',
            case when v_part.from_at > '-infinity'
                then format('entry.id >= %L and', pgtrail.uuid7_floor(v_part.from_at)) end,
            case when v_part.to_at < 'infinity'
                then format('entry.id < %L and', pgtrail.uuid7_floor(v_part.to_at)) end,
            v_part.condition
        ], ' ');
    end loop;
    return array_to_string(v_parts, ' union all ');
end;
$$;

revoke all on function pgtrail._uncounted_query from public, anon;
grant execute on function pgtrail._uncounted_query to authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._uncounted_query is
    'Returns the query of the entries of [from_at, to_at) that a summary cannot take from pgtrail.rollup: those '
    'outside the whole hours [from_hour, to_hour), and those that are not sealed yet. Empty when there can be none. '
    'Raises PT404 (no such trail).';
