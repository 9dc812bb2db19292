begin;
select plan(5);

create temporary table badges as
select jsonb_agg(badge) as evaluated, jsonb_object_agg(badge, true) as outcomes, array_agg(badge::uuid) as awarded
from (select gen_random_uuid()::text as badge from generate_series(1, 500)) as definition;
create temporary table too_many as
select jsonb_agg(badge) as evaluated, jsonb_object_agg(badge, true) as outcomes
from (select gen_random_uuid()::text as badge from generate_series(1, 2000)) as definition;
grant select on badges, too_many to public;

select tests.act_as('service');
select lives_ok(
    $$ select public.record_badge_evaluation(
        tests.organisation_a(), tests.peer_mentor_a(), 1,
        p_badges_evaluated => evaluated, p_criteria_outcomes => outcomes, p_badges_awarded => awarded) from badges $$,
    'evaluated, with their outcomes, and awarded');
select results_eq(
    $$
    select jsonb_array_length(badges_evaluated), (select count(*) from jsonb_object_keys(criteria_outcomes)),
        cardinality(badges_awarded)
    from public.get_badge_evaluation_logs(tests.organisation_a())
    $$,
    'values (500, 500::bigint, 500)', 'and read again');
select throws_ok(
    $$ select public.record_badge_evaluation(
        tests.organisation_a(), tests.peer_mentor_a(), 1, p_badges_evaluated => evaluated) from too_many $$,
    '23514', null, 'but not more than 64 KiB of badges');
select throws_ok(
    $$ select public.record_badge_evaluation(
        tests.organisation_a(), tests.peer_mentor_a(), 1, p_criteria_outcomes => outcomes) from too_many $$,
    '23514', null, 'nor of outcomes');
select is((select count(*) from public.badge_evaluation_logs), 1::bigint, 'what was refused is not there');

select * from finish();
rollback;
