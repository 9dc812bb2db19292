begin;
select plan(11);

select tests.act_as('service');
prepare durations as select duration_ms from public.badge_evaluation_logs order by duration_ms;
select public.record_badge_evaluation(tests.organisation_a(), tests.peer_mentor_a(), duration)
from unnest('{0,0.0001,0.5,1,1.0000001,1.5,2,17.2,2147483646.1}'::numeric[]) as run (duration);
select results_eq(
    'durations', 'select unnest(''{1,1,1,1,2,2,2,18,2147483647}''::int[])', 'up, and to 1 at least');

prepare record as select public.record_badge_evaluation(tests.organisation_a(), tests.peer_mentor_a(), $1);
select throws_ok(format('execute record(%s)', duration), code, null, format('%s is refused', duration))
from (values
    ('-0.0001', '23514'), ('-0.4', '23514'), ('-0.6', '23514'), ('-1', '23514'), ('-1e9', '23514'),
    ('null', '23502'), ('2147483647.1', '22003'), ('1e30', '22003')
) as run (duration, code);
select throws_ok(
    $$ insert into public.badge_evaluation_logs (org_id, peer_mentor_id, duration_ms)
    values (tests.organisation_a(), tests.peer_mentor_a(), 0) $$,
    '23514', null, 'a direct INSERT rounds for itself');
select is((select count(*) from public.badge_evaluation_logs), 9::bigint, 'what was refused is not there');

select * from finish();
rollback;
