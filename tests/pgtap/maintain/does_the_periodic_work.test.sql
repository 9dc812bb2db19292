begin;
select plan(12);

select tests.act_as_owner();
update pgtrail.retention_setting set database_oid = 1;
select is(
    pgtrail.maintain(),
    '{"partitions_created": 0, "tables_refreshed": 0, "retention": "not enabled in this copy of the database", "defects": 0}'::jsonb,
    'retention waits in a copy of the database');
select pgtrail.enable_retention();
select is(
    pgtrail.maintain(),
    '{"partitions_created": 0, "tables_refreshed": 0, "entries_removed": 0, "purges_postponed": 0, "defects": 0}'::jsonb,
    'there is nothing to do after an installation');
select is(
    pgtrail.maintain(now() + interval '3 months') -> 'partitions_created',
    to_jsonb(3 * (select count(*) from pgtrail.trail)), 'three months later partitions are');
select is(
    pgtrail.maintain(now() + interval '3 months') -> 'partitions_created', '0'::jsonb, 'once');
select ok((select verified_at > now() - interval '1 minute' from pgtrail.log), 'and the log is verified each time');

update pgtrail.log set root = sha256('another');
select is(pgtrail.maintain() -> 'defects', '1'::jsonb, 'defects are counted');
select results_eq(
    $$ select severity, payload -> 'defects' from pgtrail.alert where kind = 'log defects' and resolved_at is null $$,
    $$ values ('critical', '1'::jsonb) $$, 'and raise an alert');
update pgtrail.log set root = sha256('');
select pgtrail.maintain();
select is_empty(
    $$ select from pgtrail.alert where kind = 'log defects' and resolved_at is null $$, 'which is resolved when they are gone');

prepare maintain as select pgtrail.maintain();
select tests.act_as('auditor');
select throws_ok('maintain', '42501', 'permission denied for function maintain');
select tests.act_as('service');
select throws_ok('maintain', '42501');
select tests.act_as('org_admin_a');
select throws_ok('maintain', '42501');
select tests.act_as('anon');
select throws_ok('maintain', '42501');

select * from finish();
rollback;
