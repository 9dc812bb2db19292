begin;
select plan(37);

select tests.act_as('service');
prepare write as
    insert into public.badge_evaluation_logs (org_id, peer_mentor_id, duration_ms, badges_evaluated)
    values (tests.organisation_a(), tests.peer_mentor_a(), 1, $1);
prepare record as
    select public.record_badge_evaluation(tests.organisation_a(), tests.peer_mentor_a(), 1, p_badges_evaluated => $1);

create temporary table document (text text, is_fine boolean);
insert into document values
    ('[]', true),
    ('["b0000000-0000-4000-8000-00000000000f"]', true),
    ('["b0000000-0000-4000-8000-00000000000f", "00000000-0000-0000-0000-000000000000"]', true),
    ('["B0000000-0000-4000-8000-00000000000F"]', false),
    ('["b000000000004000800000000000000f"]', false),
    ('["{b0000000-0000-4000-8000-00000000000f}"]', false),
    ('["b0000000-0000-4000-8000-00000000000f\n"]', false),
    ('["x\nb0000000-0000-4000-8000-00000000000f"]', false),
    ('["b0000000-0000-4000-8000-00000000000f", "first steps"]', false),
    ('["b0000000-0000-4000-8000-00000000000f", null]', false),
    ('[["b0000000-0000-4000-8000-00000000000f"]]', false),
    ('[{"id": "b0000000-0000-4000-8000-00000000000f"}]', false),
    ('[1]', false),
    ('[true]', false),
    ('{}', false),
    ('{"b0000000-0000-4000-8000-00000000000f": true}', false),
    ('"b0000000-0000-4000-8000-00000000000f"', false),
    ('null', false);

select case
    when document.is_fine then lives_ok(format('execute %s(%L)', way, document.text), format('%s %s', way, document.text))
    else throws_ok(format('execute %s(%L)', way, document.text), '23514', null, format('%s not %s', way, document.text))
end
from document cross join unnest('{write,record}'::text[]) as way;
select is((select count(*) from public.badge_evaluation_logs), 6::bigint, 'what was refused is not there');

select * from finish();
rollback;
