begin;
select plan(14);

create table public.door_log (
    id uuid primary key default pgtrail.uuid7(),
    opened_at timestamptz generated always as (pgtrail.uuid7_time(id)) stored,
    org_id uuid not null,
    note text,
    recorded_at timestamptz not null default clock_timestamp(),
    era smallint not null default 0,
    tx_id xid8 not null default pg_current_xact_id(),
    erasure_salt uuid default gen_random_uuid()
) partition by range (id);
select pgtrail.create_trail('public.door_log', 'org_id', erasable => '{note}');

select table_owner_is('public', 'door_log', 'pgtrail_owner', 'it belongs to pgtrail_owner');
select results_eq(
    $$ select format('%s %s %s', organisation_column, time_column, erasable) collate "default" from pgtrail.trail where trail_name = 'door_log' $$,
    $$ values ('org_id opened_at {note}') $$,
    'it is registered');
select policies_are('public', 'door_log', array['select_member', 'select_auditor', 'select_service', 'insert_service', 'all_purger']);
select triggers_are('public', 'door_log', array['refuse_change_of_statement', 'refuse_change_of_row']);
select has_index('public', 'door_log', 'door_log_org_id_id_idx', array['org_id', 'id'], 'pages are read through an index');
select ok(
    (select count(*) >= 14 from pg_inherits where inhparent = 'public.door_log'::regclass),
    'it has partitions from last month to 13 months ahead');
select table_privs_are('public', 'door_log', 'authenticated', array['SELECT']);
select table_privs_are('public', 'door_log', 'anon', array[]::text[]);
select column_privs_are('public', 'door_log', 'note', 'service_role', array['INSERT', 'SELECT']);
select column_privs_are('public', 'door_log', 'erasure_salt', 'service_role', array['SELECT']);
select lives_ok(
    $$ select pgtrail.create_trail('public.door_log', 'org_id', erasable => '{note}') $$,
    'it can be run again');

select tests.act_as('service');
insert into public.door_log (org_id, note) values (tests.organisation_a(), 'front door');
select throws_ok($$ update public.door_log set note = 'back door' $$, '42501');
select tests.act_as('coordinator_a');
select results_eq('select note from public.door_log', $$ values ('front door') $$, 'its organisation reads it');
select tests.act_as('coordinator_b');
select is_empty('select from public.door_log', 'another organisation does not');

select * from finish();
rollback;
