begin;
select plan(9);

select tests.act_as_owner();
select pgtrail.place_legal_hold(tests.organisation_a(), 'a case');
prepare release as select pgtrail.release_legal_hold(hold_id, 'closed') from pgtrail.legal_hold;

select throws_ok(
    $$ select pgtrail.release_legal_hold(hold_id, '') from pgtrail.legal_hold $$, '22023',
    'the release of a legal hold needs a reason');
select throws_ok(
    $$ select pgtrail.release_legal_hold(hold_id, null) from pgtrail.legal_hold $$, '22023',
    'the release of a legal hold needs a reason');
select throws_ok(
    $$ select pgtrail.release_legal_hold(gen_random_uuid(), 'closed') $$, 'PT404', 'there is no such legal hold');
select lives_ok('release');
select results_eq(
    'select released_at is not null, release_reason from pgtrail.legal_hold', $$ values (true, 'closed') $$,
    'it ends, and is kept');
select results_eq(
    $$ select organisation_id, details ->> 'reason' from public.audit_log where action = 'legal_hold.released' $$,
    $$ values (tests.organisation_a(), 'closed') $$, 'with an entry of the organisation');
select throws_ok('release', 'PT404', 'there is no such legal hold');

select tests.act_as('service');
select throws_ok(
    $$ select pgtrail.release_legal_hold(gen_random_uuid(), 'closed') $$, '42501',
    'permission denied for function release_legal_hold');
select tests.act_as('org_admin_a');
select throws_ok($$ select pgtrail.release_legal_hold(gen_random_uuid(), 'closed') $$, '42501');

select * from finish();
rollback;
