-- One body for all versions of Postgres: uuidv7() of 18 takes an interval to shift by, not a time.
-- Millisecond time in the first 48 bits, version 7, then the microseconds within the millisecond
-- scaled to 12 bits (RFC 9562, section 5.7 and method 3 of 6.2), then 62 random bits.
-- plpgsql, because an SQL body would be inlined into the column default and planned again on every insert. One
-- expression, because each expression of a function is set up anew in every transaction.
create or replace function pgtrail.uuid7(at timestamptz default clock_timestamp())
    returns uuid
    language plpgsql volatile strict parallel safe
    set search_path = pg_catalog, pg_temp
as $$
begin
    return case
        when uuid7.at >= timestamptz '1970-01-01 00:00:00+00' and uuid7.at < timestamptz '10889-01-01 00:00:00+00'
        then encode(
            overlay(
                uuid_send(gen_random_uuid())
                placing int8send(
                    ((extract(epoch from uuid7.at) * 1000000)::bigint / 1000 << 16)
                    | 28672
                    | (((extract(epoch from uuid7.at) * 1000000)::bigint % 1000 << 12) / 1000))
                from 1),
            'hex')::uuid
        else pgtrail._refuse_time(uuid7.at)
    end;
end;
$$;

revoke all on function pgtrail.uuid7 from public, anon;
grant execute on function pgtrail.uuid7 to authenticated, service_role, pgtrail_auditor;
comment on function pgtrail.uuid7 is
    'Makes a UUIDv7 (RFC 9562) of the given time, which must lie between 1970 and the year 10889 (else 22008). '
    'Ids of one process sort by time to about a quarter of a microsecond.';
