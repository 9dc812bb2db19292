begin;
select plan(11);

select tests.act_as('service');
create function pg_temp.evaluation(more text) returns text language plpgsql
as $$
begin
    return 'select public.record_badge_evaluation(p_org_id => tests.organisation_a(), '
        'p_peer_mentor_id => tests.peer_mentor_a(), p_duration_ms => 1' || more || ')';
end;
$$;

select throws_ok(pg_temp.evaluation(', p_id => gen_random_uuid()'), '22023', null, 'an id that is no UUIDv7');
select throws_ok(
    pg_temp.evaluation(', p_id => pgtrail.uuid7(), p_triggered_at => now() - interval ''1 day'''), '22023', null,
    'an id that contradicts the time');
select throws_ok(
    pg_temp.evaluation(', p_triggered_at => now() + interval ''6 minutes'''), '23514', null, 'a time in the future');
select throws_ok(
    pg_temp.evaluation(', p_triggered_at => ''2001-01-01'''), '23514', null, 'a time before all partitions');
select throws_ok(pg_temp.evaluation(', p_triggered_at => ''infinity'''), '22008', null, 'no time at all');
select throws_ok(pg_temp.evaluation(', p_activity_id => ''42'''), '22P02', null, 'an activity that is no uuid');
select throws_ok(pg_temp.evaluation(', p_criteria_outcomes => ''{'''), '22P02', null, 'outcomes that are no JSON');
select throws_ok(pg_temp.evaluation(', p_badges_awarded => ''{gold}'''), '22P02', null, 'an award that is no uuid');
select throws_ok(
    replace(pg_temp.evaluation(''), missing, 'null'), '23502', null, 'without ' || missing)
from unnest('{tests.organisation_a(),tests.peer_mentor_a()}'::text[]) as required (missing);
select is_empty('select from public.badge_evaluation_logs', 'nothing was written');

select * from finish();
rollback;
