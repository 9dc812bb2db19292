begin;
select plan(4);

select tests.act_as('service');
select public.record_audit_event(tests.organisation_a(), 'by.service');
select public.record_audit_event(tests.organisation_a(), 'by.user', p_actor_id => 'ada');
select public.record_audit_event(tests.organisation_a(), 'by.impersonated', p_actor_id => 'ada', p_impersonator_id => 'root');
select public.record_audit_event(tests.organisation_a(), 'by.system', p_actor_id => 'cron', p_actor_kind => 'system');

select is(actor_kind::text, split_part(action, '.', 2), action::text) from public.audit_log order by id;

select * from finish();
rollback;
