begin;
select plan(11);

create function pg_temp.proof(checkpoint text) returns text language sql as $$
    select pgtrail.tlog_proof('public.audit_log', gen_random_uuid(), checkpoint)
$$;

select tests.act_as('auditor');
select throws_ok($$ select pg_temp.proof('') $$, '22P02', 'malformed checkpoint');
select throws_ok($$ select pg_temp.proof('example.org') $$, '22P02', 'malformed checkpoint');
select throws_ok($$ select pg_temp.proof(E'example.org\n01\nAAAA\n') $$, '22P02', 'malformed checkpoint');
select throws_ok($$ select pg_temp.proof(E'example.org\n-1\nAAAA\n') $$, '22P02', 'malformed checkpoint');
select throws_ok($$ select pg_temp.proof(null) $$, '22P02', 'malformed checkpoint');
select throws_ok($$ select pg_temp.proof(E'example.org\n0\nAAAA\n') $$, 'TR003', 'the checkpoint does not fit the log');
select throws_ok($$ select pg_temp.proof(E'example.org\n1\nAAAA\n') $$, '22023', 'the log never had this size');
select throws_ok(
    'select pg_temp.proof(pgtrail.checkpoint())', 'PT404', 'the entry is not in a tree of this size');

select tests.act_as('service');
select throws_ok($$ select pg_temp.proof('') $$, '42501', 'permission denied for function tlog_proof');
select tests.act_as('org_admin_a');
select throws_ok($$ select pg_temp.proof('') $$, '42501');
select tests.act_as('anon');
select throws_ok($$ select pg_temp.proof('') $$, '42501');

select * from finish();
rollback;
