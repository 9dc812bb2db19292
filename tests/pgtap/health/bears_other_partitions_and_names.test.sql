begin;
select plan(4);

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

select * from finish();
rollback;
