begin;
select plan(10);

select tests.act_as_owner();
select isnt(
    pgtrail.place_legal_hold(
        tests.organisation_a(), 'a case', 'public.audit_log', '2026-01-01+00', '2026-02-01+00'),
    null, 'a hold has an id');
select results_eq(
    'select organisation_id, reason, trail_name, from_at, to_at, released_at from pgtrail.legal_hold',
    $$ values (tests.organisation_a(), 'a case', 'audit_log', timestamptz '2026-01-01+00', timestamptz '2026-02-01+00',
        null::timestamptz) $$,
    'it is kept');
select results_eq(
    $$
        select entry.organisation_id, entry.details ->> 'hold_id', entry.details ->> 'reason'
        from public.audit_log as entry
        where entry.action = 'legal_hold.placed'
    $$,
    $$ select hold.organisation_id, hold.hold_id::text, 'a case' from pgtrail.legal_hold as hold $$,
    'and is an entry of the organisation');

select throws_ok($$ select pgtrail.place_legal_hold(tests.organisation_a(), '') $$, '22023', 'a legal hold needs a reason');
select throws_ok(
    $$ select pgtrail.place_legal_hold(tests.organisation_a(), null) $$, '22023', 'a legal hold needs a reason');
select throws_ok(
    $$ select pgtrail.place_legal_hold(null, 'a case', from_at => '2026-01-01+00', to_at => '2026-01-01+00') $$,
    '22023', 'the period of the hold is empty');
select throws_ok(
    $$ select pgtrail.place_legal_hold(null, 'a case', 'public.organisations') $$, '22023',
    'public.organisations is not a trail');

prepare place as select pgtrail.place_legal_hold(tests.organisation_a(), 'a case');
select tests.act_as('service');
select throws_ok('place', '42501', 'permission denied for function place_legal_hold');
select tests.act_as('org_admin_a');
select throws_ok('place', '42501', 'permission denied for function place_legal_hold');
select tests.act_as('anon');
select throws_ok('place', '42501');

select * from finish();
rollback;
