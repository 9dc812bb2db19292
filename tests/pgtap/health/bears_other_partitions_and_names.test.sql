begin;
select plan(7);

create table public."Door log" (
    id uuid primary key default pgtrail.uuid7(),
    opened_at timestamptz generated always as (pgtrail.uuid7_time(id)) stored,
    org_id uuid not null,
    recorded_at timestamptz not null default clock_timestamp(),
    era smallint not null default 0,
    tx_id xid8 not null default pg_current_xact_id()
) partition by range (id);
select lives_ok(
    $$ select pgtrail.create_trail('public."Door log"', 'org_id') $$,
    'a trail may have a name that is quoted');
select is(
    (select detail from pgtrail.health() where check_name = 'partitions ahead'), '13 months',
    'its partitions are counted');

create table pgtrail_partitions.rest partition of public.audit_log default;
select is(
    (select detail from pgtrail.health() where check_name = 'partitions ahead'), '13 months',
    'a default partition is of no month');
select is(
    (select message from pgtrail.findings() where check_name = 'partitions'),
    'public.audit_log has a default partition',
    'and it is found');

-- A partition that is partitioned itself, with nothing that protects what lies in it.
drop table pgtrail_partitions.rest;
create table pgtrail_partitions.audit_log_2001_01 partition of public.audit_log
    for values from ('00e3a2c4-0000-7000-8000-000000000000') to ('00e4427f-0000-7000-8000-000000000000')
    partition by range (id);
create table pgtrail_partitions.half partition of pgtrail_partitions.audit_log_2001_01 default;
grant select on pgtrail_partitions.half to anon;
select results_eq(
    $$ select check_name from pgtrail.health()
        where status = 'critical' and check_name in ('guards', 'row security', 'grants') $$,
    $$ values ('guards'), ('row security'), ('grants') $$,
    'partitions of partitions are looked at');

drop function pgtrail.tg__refuse_change() cascade;
select is(
    (select status from pgtrail.health() where check_name = 'guards'), 'critical',
    'and that the function of the guards is gone is found');
select isnt(
    (select count(*) from pgtrail.findings() where check_name = 'guards' and message like '%is missing'), 0::bigint,
    'guard by guard');

select * from finish();
rollback;
