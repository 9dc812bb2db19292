begin;
select plan(5);

select is(
    pgtrail.uuid7_floor('2026-11-01 00:00:00+00'),
    '01a19467-e800-7000-8000-000000000000'::uuid,
    'it is the smallest version 7 of its millisecond');
select is(
    pgtrail.uuid7_floor('2026-11-01 00:00:00.0001+00'),
    pgtrail.uuid7_floor('2026-11-01 00:00:00.001+00'),
    'a time within a millisecond is rounded up: no id of before lies behind it');
select is_empty(
    $$
        select at, bound
        from generate_series(timestamptz '2026-01-01', '2026-01-01 00:00:00.004', '250 microseconds') as at,
            generate_series(timestamptz '2026-01-01', '2026-01-01 00:00:00.004', '250 microseconds') as bound
        where (pgtrail.uuid7(at) >= pgtrail.uuid7_floor(bound))
            <> (pgtrail.uuid7_time(pgtrail.uuid7(at)) >= bound)
    $$,
    'an id is at or above the floor exactly when its time is at or after it');
select is(
    pgtrail.uuid7_floor('-infinity'), '00000000-0000-7000-8000-000000000000'::uuid,
    'before 1970 it is the smallest id of all');
select is(
    pgtrail.uuid7_floor('infinity'), 'ffffffff-ffff-7000-8000-000000000000'::uuid,
    'behind the last year it is the last millisecond');

select * from finish();
rollback;
