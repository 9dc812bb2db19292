begin;
select plan(13);

prepare record as
    select public.record_acknowledgement(
        tests.organisation_a(), tests.coordinator_a(), tests.peer_mentor_a(), 'first aid', 'lapsed');
prepare write as
    insert into public.coordinator_acknowledgement_audit (
        organisation_id, coordinator_id, mentor_id, certificate_type, threshold_tier)
    values (tests.organisation_a(), tests.coordinator_a(), tests.peer_mentor_a(), 'first aid', 'lapsed');

select tests.act_as('anon');
select throws_ok('record', '42501', 'permission denied for function record_acknowledgement');
select throws_ok('write', '42501', 'permission denied for table coordinator_acknowledgement_audit');
select tests.act_as('peer_mentor_a');
select throws_ok('record', '42501', 'permission denied for function record_acknowledgement');
select throws_ok('write', '42501', 'permission denied for table coordinator_acknowledgement_audit');
select tests.act_as('coordinator_a');
select throws_ok('record', '42501', 'permission denied for function record_acknowledgement');
select throws_ok('write', '42501', 'permission denied for table coordinator_acknowledgement_audit');
select tests.act_as('org_admin_a');
select throws_ok('record', '42501', 'permission denied for function record_acknowledgement');
select throws_ok('write', '42501', 'permission denied for table coordinator_acknowledgement_audit');
select tests.act_as('auditor');
select throws_ok('record', '42501', 'permission denied for function record_acknowledgement');
select throws_ok('write', '42501', 'permission denied for table coordinator_acknowledgement_audit');
select tests.act_as('service');
select lives_ok('record', 'service_role calls it');
select lives_ok('write', 'service_role inserts');
select is((select count(*) from public.coordinator_acknowledgement_audit), 2::bigint, 'nobody else wrote anything');

select * from finish();
rollback;
