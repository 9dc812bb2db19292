begin;
select plan(9);

select is(get_byte(uuid_send(pgtrail.uuid7()), 6) >> 4, 7, 'the version is 7');
select is(get_byte(uuid_send(pgtrail.uuid7()), 8) >> 6, 2, 'the variant is that of RFC 9562');
select is(
    pgtrail.uuid7_time(pgtrail.uuid7('2026-02-28 23:59:59.999+00')),
    '2026-02-28 23:59:59.999+00'::timestamptz,
    'its time is the given time');
select is(
    pgtrail.uuid7_time(pgtrail.uuid7('2026-02-28 23:59:59.999999+00')),
    '2026-02-28 23:59:59.999+00'::timestamptz,
    'microseconds are cut off, not rounded up');
select ok(
    abs(extract(epoch from pgtrail.uuid7_time(pgtrail.uuid7()) - clock_timestamp())) < 1,
    'without a time it is of now');
select is(pgtrail.uuid7(null), null, 'null gives null');
select is_empty(
    $$
        select at from generate_series(timestamptz '2026-01-01', '2026-01-01 00:00:00.002', '1 microsecond') as at
        where pgtrail.uuid7(at) > pgtrail.uuid7(at + interval '2 microseconds')
    $$,
    'ids sort by time within a millisecond too');
select is_empty(
    $$
        select microsecond
        from generate_series(0, 999) as microsecond
        cross join lateral uuid_send(pgtrail.uuid7(
            timestamptz '2026-01-01' + make_interval(secs => microsecond / 1000000.0))) as id
        where (get_byte(id, 6) & 15) * 256 + get_byte(id, 7) <> microsecond * 4096 / 1000
    $$,
    'the 12 bits behind the version are the part of the millisecond');
select is(
    (select count(distinct pgtrail.uuid7('2026-01-01')) from generate_series(1, 10000)),
    10000::bigint,
    'ids of the same time differ');

select * from finish();
rollback;
