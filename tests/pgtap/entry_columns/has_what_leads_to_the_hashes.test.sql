begin;
select plan(4);

create domain public.moment as timestamptz;
create table public.door_log (
    id uuid primary key default pgtrail.uuid7(),
    opened_at timestamptz generated always as (pgtrail.uuid7_time(id)) stored,
    org_id uuid not null,
    closed_at public.moment,
    visitor text,
    picture text,
    recorded_at timestamptz not null default clock_timestamp(),
    era smallint not null default 0,
    tx_id xid8 not null default pg_current_xact_id(),
    erasure_salt uuid default gen_random_uuid()
) partition by range (id);
select pgtrail.create_trail('public.door_log', 'org_id', erasable => '{visitor}', digested => '{picture}');
insert into public.door_log (org_id, closed_at, visitor, picture)
values (gen_random_uuid(), '2026-01-02 03:04:05Z', 'Ida', 'pixels');

create temporary view shown as
select own.*
from public.door_log as entry
cross join lateral pgtrail.entry_columns('public.door_log', entry.id, 1) as own;

select results_eq(
    'select column_name, is_time, is_hashed from shown',
    $$ values ('id'::name, false, false), ('org_id', false, false), ('closed_at', true, false),
        ('visitor', false, true), ('picture', false, true), ('recorded_at', true, false), ('era', false, false),
        ('tx_id', false, false) $$,
    'columns in the order of the entry; times are told, those of a domain too');
select results_eq(
    $$ select value, salt from shown where column_name = 'picture' $$,
    $$ values ('pixels', ''::bytea) $$,
    'of a digested column the text, without salt');
select results_eq(
    $$ select value, salt from shown where column_name = 'visitor' $$,
    $$ select 'Ida', sha256(uuid_send(erasure_salt) || 'visitor'::bytea) from public.door_log $$,
    'of an erasable column the text and its own salt');

select pgtrail.erase('public.door_log', (select id from public.door_log), '{visitor}', 'asked for');
select results_eq(
    $$ select value from shown where column_name = 'visitor' $$, $$ values (null::text) $$,
    'nothing of an erased one');

select * from finish();
rollback;
