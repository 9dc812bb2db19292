begin;
select plan(13);

prepare record as select public.record_badge_evaluation(tests.organisation_a(), tests.peer_mentor_a(), 1);
prepare write as
    insert into public.badge_evaluation_logs (org_id, peer_mentor_id, duration_ms)
    values (tests.organisation_a(), tests.peer_mentor_a(), 1);

select tests.act_as('anon');
select throws_ok('record', '42501', 'permission denied for function record_badge_evaluation');
select throws_ok('write', '42501', 'permission denied for table badge_evaluation_logs');
select tests.act_as('peer_mentor_a');
select throws_ok('record', '42501', 'permission denied for function record_badge_evaluation');
select throws_ok('write', '42501', 'permission denied for table badge_evaluation_logs');
select tests.act_as('coordinator_a');
select throws_ok('record', '42501', 'permission denied for function record_badge_evaluation');
select throws_ok('write', '42501', 'permission denied for table badge_evaluation_logs');
select tests.act_as('org_admin_a');
select throws_ok('record', '42501', 'permission denied for function record_badge_evaluation');
select throws_ok('write', '42501', 'permission denied for table badge_evaluation_logs');
select tests.act_as('auditor');
select throws_ok('record', '42501', 'permission denied for function record_badge_evaluation');
select throws_ok('write', '42501', 'permission denied for table badge_evaluation_logs');
select tests.act_as('service');
select lives_ok('record', 'service_role calls it');
select lives_ok('write', 'service_role inserts');
select is((select count(*) from public.badge_evaluation_logs), 2::bigint, 'nobody else wrote anything');

select * from finish();
rollback;
