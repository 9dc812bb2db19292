begin;
select plan(13);

prepare record as
    select public.record_hlf_sync_attempt(
        tests.organisation_a(), tests.peer_mentor_a(), 'remove', 'success', 'nightly_batch');
prepare write as
    insert into public.hlf_sync_audit_log (organisation_id, mentor_id, sync_direction, outcome, source)
    values (tests.organisation_a(), tests.peer_mentor_a(), 'remove', 'success', 'nightly_batch');

select tests.act_as('anon');
select throws_ok('record', '42501', 'permission denied for function record_hlf_sync_attempt');
select throws_ok('write', '42501', 'permission denied for table hlf_sync_audit_log');
select tests.act_as('peer_mentor_a');
select throws_ok('record', '42501', 'permission denied for function record_hlf_sync_attempt');
select throws_ok('write', '42501', 'permission denied for table hlf_sync_audit_log');
select tests.act_as('coordinator_a');
select throws_ok('record', '42501', 'permission denied for function record_hlf_sync_attempt');
select throws_ok('write', '42501', 'permission denied for table hlf_sync_audit_log');
select tests.act_as('org_admin_a');
select throws_ok('record', '42501', 'permission denied for function record_hlf_sync_attempt');
select throws_ok('write', '42501', 'permission denied for table hlf_sync_audit_log');
select tests.act_as('auditor');
select throws_ok('record', '42501', 'permission denied for function record_hlf_sync_attempt');
select throws_ok('write', '42501', 'permission denied for table hlf_sync_audit_log');
select tests.act_as('service');
select lives_ok('record', 'service_role calls it');
select lives_ok('write', 'service_role inserts');
select is((select count(*) from public.hlf_sync_audit_log), 2::bigint, 'nobody else wrote anything');

select * from finish();
rollback;
