-- Times are rounded up to the next whole millisecond, so that for every v7 id and every time
-- id >= uuid7_floor(at) says the same as uuid7_time(id) >= at.
create or replace function pgtrail.uuid7_floor(at timestamptz)
    returns uuid
    language plpgsql immutable strict parallel safe
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_milliseconds numeric := ceil(extract(epoch from uuid7_floor.at) * 1000);
begin
    return encode(
        int8send((least(greatest(v_milliseconds, 0), 281474976710655)::bigint << 16) | 28672)
        || '\x8000000000000000'::bytea,
        'hex'
    )::uuid;
end;
$$;

revoke all on function pgtrail.uuid7_floor from public, anon;
grant execute on function pgtrail.uuid7_floor to authenticated, service_role, pgtrail_auditor;
comment on function pgtrail.uuid7_floor is
    'Returns the smallest UUIDv7 whose time is not before the given time: the bound of partitions, '
    'date filters and purges. Times that no UUIDv7 has (before 1970, infinity) give the nearest one that has.';
