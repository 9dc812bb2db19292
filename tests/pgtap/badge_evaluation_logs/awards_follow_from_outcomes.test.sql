begin;
select plan(22);

-- b1 fulfils its criteria, b2 does not, b3 was evaluated without an outcome, b4 has an outcome and was not evaluated.
prepare write as
    insert into public.badge_evaluation_logs (
        org_id, peer_mentor_id, duration_ms, badges_evaluated, criteria_outcomes, badges_awarded)
    values (
        tests.organisation_a(), tests.peer_mentor_a(), 1,
        '["b0000000-0000-4000-8000-000000000001", "b0000000-0000-4000-8000-000000000002",
            "b0000000-0000-4000-8000-000000000003"]',
        '{"b0000000-0000-4000-8000-000000000001": true, "b0000000-0000-4000-8000-000000000002": false,
            "b0000000-0000-4000-8000-000000000004": true}',
        $1);
prepare record as
    select public.record_badge_evaluation(
        tests.organisation_a(), tests.peer_mentor_a(), 1,
        p_badges_evaluated => '["b0000000-0000-4000-8000-000000000001", "b0000000-0000-4000-8000-000000000002",
            "b0000000-0000-4000-8000-000000000003"]',
        p_criteria_outcomes => '{"b0000000-0000-4000-8000-000000000001": true,
            "b0000000-0000-4000-8000-000000000002": false, "b0000000-0000-4000-8000-000000000004": true}',
        p_badges_awarded => $1);

create temporary table award (badges text, is_fine boolean, name text);
insert into award values
    ('{}', true, 'no award, though one outcome is true'),
    ('{b0000000-0000-4000-8000-000000000001}', true, 'a badge whose outcome is true'),
    ('{b0000000-0000-4000-8000-000000000002}', false, 'a badge whose outcome is false'),
    ('{b0000000-0000-4000-8000-000000000001,b0000000-0000-4000-8000-000000000002}', false, 'one of each'),
    ('{b0000000-0000-4000-8000-000000000003}', false, 'a badge without an outcome'),
    ('{b0000000-0000-4000-8000-000000000004}', false, 'a badge that was not evaluated'),
    ('{b0000000-0000-4000-8000-000000000005}', false, 'a badge that is not mentioned'),
    ('{null}', false, 'null'),
    ('{b0000000-0000-4000-8000-000000000001,null}', false, 'null among others'),
    ('{{b0000000-0000-4000-8000-000000000001,b0000000-0000-4000-8000-000000000002}}', false, 'nested arrays');
grant select on award to public;

select tests.act_as('service');
select case
    when award.is_fine then lives_ok(format('execute %s(%L)', way, award.badges), format('%s: %s', way, award.name))
    else throws_ok(format('execute %s(%L)', way, award.badges), '23514', null, format('%s: not %s', way, award.name))
end
from award cross join unnest('{write,record}'::text[]) as way;
select throws_ok(
    $$ insert into public.badge_evaluation_logs (org_id, peer_mentor_id, duration_ms, badges_awarded)
    values (tests.organisation_a(), tests.peer_mentor_a(), 1, null) $$,
    '23502', null, 'awards are never null');
select is((select count(*) from public.badge_evaluation_logs), 4::bigint, 'what was refused is not there');

select * from finish();
rollback;
