-- plpgsql: the expression of a stored generated column is planned again on every INSERT statement,
-- so what it calls must not be an SQL function that can be inlined.
create or replace function pgtrail.uuid7_time(id uuid)
    returns timestamptz
    language plpgsql immutable strict parallel safe
    set search_path = pg_catalog, pg_temp
as $$
begin
    return to_timestamp(
        ('x' || encode(substr(uuid_send(uuid7_time.id), 1, 6), 'hex'))::bit(48)::bigint / 1000.0::float8);
end;
$$;

revoke all on function pgtrail.uuid7_time from public, anon;
grant execute on function pgtrail.uuid7_time to authenticated, service_role, pgtrail_auditor, pgtrail_purger;
comment on function pgtrail.uuid7_time is
    'Returns the time of a UUIDv7 (RFC 9562), to the millisecond. Of any other UUID the result means nothing.';
