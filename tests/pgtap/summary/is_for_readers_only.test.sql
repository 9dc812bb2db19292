begin;
select plan(22);

prepare summary as select public.get_audit_summary(tests.organisation_a(), 'hlf_sync_audit_log');
prepare sync_summary as select public.get_hlf_sync_audit_summary(tests.organisation_a());
select tests.act_as('coordinator_a');
select lives_ok('summary', 'a coordinator may call it');
select lives_ok('sync_summary', 'a coordinator may call it');
select tests.act_as('auditor');
select lives_ok('summary', 'an auditor may call it');
select lives_ok('sync_summary', 'an auditor may call it');
select tests.act_as('service');
select lives_ok('summary', 'service_role may call it');
select lives_ok('sync_summary', 'service_role may call it');
select tests.act_as('peer_mentor_a');
select throws_ok('summary', '42501', 'not allowed to read the entries of this organisation');
select throws_ok('sync_summary', '42501', 'not allowed to read the entries of this organisation');
select tests.act_as('coordinator_b');
select throws_ok('summary', '42501', 'not allowed to read the entries of this organisation');
select throws_ok('sync_summary', '42501', 'not allowed to read the entries of this organisation');
select tests.act_as('outsider');
select throws_ok('summary', '42501', 'not allowed to read the entries of this organisation');
select throws_ok('sync_summary', '42501', 'not allowed to read the entries of this organisation');
select tests.act_as('anon');
select throws_ok('summary', '42501', 'permission denied for function get_audit_summary');
select throws_ok('sync_summary', '42501', 'permission denied for function get_hlf_sync_audit_summary');

select tests.act_as('coordinator_a');
select throws_ok('select public.get_audit_summary(null, ''audit_log'')', '22023');
select throws_ok('select public.get_hlf_sync_audit_summary(null)', '22023');
select throws_ok('select public.get_audit_summary(tests.organisation_a(), ''organisations'')', 'PT404');
select throws_ok('select public.get_audit_summary(tests.organisation_a(), ''public.audit_log'')', 'PT404');
select throws_ok('select public.get_audit_summary(tests.organisation_a(), null)', 'PT404');
select throws_ok('select public.get_audit_summary(tests.platform_organisation(), ''audit_log'')', '42501');

-- The counts of pgtrail.rollup are as private as the entries.
select tests.act_as_owner();
insert into pgtrail.rollup
values ('audit_log', tests.organisation_a(), 'hour', '2026-01-01+00', 'a', 1, '2026-01-01+00'),
    ('audit_log', tests.organisation_b(), 'hour', '2026-01-01+00', 'b', 1, '2026-01-01+00');
select tests.act_as('coordinator_a');
select results_eq(
    'select bucket from pgtrail.rollup', $$ values ('a') $$, 'a coordinator sees the counts of the own organisation');
select tests.act_as('peer_mentor_a');
select is_empty('select bucket from pgtrail.rollup', 'a peer mentor sees none');

select * from finish();
rollback;
