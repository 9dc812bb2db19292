begin;
select plan(1);

create schema elsewhere;
create table elsewhere.audit_log (
    id uuid primary key,
    happened_at timestamptz generated always as (pgtrail.uuid7_time(id)) stored,
    org_id uuid not null,
    recorded_at timestamptz not null default clock_timestamp(),
    era smallint not null default 0,
    tx_id xid8 not null default pg_current_xact_id()
) partition by range (id);
select throws_ok(
    $$ select pgtrail.create_trail('elsewhere.audit_log', 'org_id') $$, '42710', 'a trail named "audit_log" exists already');

select * from finish();
rollback;
