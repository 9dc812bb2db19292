create or replace function pgtrail._hour_counts(trail_name text, condition text)
    returns pgtrail.rollup[]
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set jit = off set timezone = 'UTC'
as $$
declare
    v_hours pgtrail.rollup[];
    v_relation regclass;
begin
    select registered.relation into strict v_relation
    from pgtrail.trail as registered
    where registered.trail_name = _hour_counts.trail_name;

    execute array_to_string(array[
        'select array_agg((trail_name, organisation_id, ''hour'', hour, bucket, entries, last_at)::pgtrail.rollup)',
        'from (select $1 as trail_name, organisation_id, date_bin(''1 hour'', at, ''2000-01-01Z'') as hour, bucket,',
        'count(*) as entries, max(at) as last_at',
        'from (select', pgtrail._counted_columns_expression(_hour_counts.trail_name), 'from', v_relation::text,
        'as entry where',
        _hour_counts.condition, ') as counted group by 2, 3, 4) as part'
    ], ' ')
    into v_hours
    using _hour_counts.trail_name;
    return v_hours;
end;
$$;

revoke all on function pgtrail._hour_counts from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._hour_counts is
    'Counts the entries of a trail that fulfil a condition over the row "entry" by hour, organisation and bucket: what '
    '_add_counts() takes. Null when there are none.';
