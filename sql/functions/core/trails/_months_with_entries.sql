create or replace function pgtrail._months_with_entries(
    trail_name text,
    from_at    timestamptz default null,
    to_at      timestamptz default null
)
    returns setof timestamptz
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set timezone = 'UTC' set enable_seqscan = off
as $$
declare
    v_relation regclass;
    v_next_id uuid := coalesce(pgtrail.uuid7_floor(_months_with_entries.from_at), pgtrail._least_id());
    v_end_id uuid := coalesce(pgtrail.uuid7_floor(_months_with_entries.to_at), pgtrail._greatest_id());
    v_found_id uuid;
    v_month timestamptz;
begin
    select registered.relation into strict v_relation
    from pgtrail.trail as registered
    where registered.trail_name = _months_with_entries.trail_name;

    loop
        execute format('select id from %s where id >= $1 and id < $2 order by id limit 1', v_relation)
        into v_found_id
        using v_next_id, v_end_id;
        exit when v_found_id is null;
        v_month := date_trunc('month', pgtrail.uuid7_time(v_found_id));
        return next v_month;
        v_next_id := pgtrail.uuid7_floor(v_month + interval '1 month');
    end loop;
end;
$$;

revoke all on function pgtrail._months_with_entries from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._months_with_entries is
    'Returns the beginnings of the months (UTC) in which a trail has entries of [from_at, to_at); null is open.';
