begin;
select plan(41);

select tests.act_as('service');
prepare write as
    insert into public.badge_evaluation_logs (org_id, peer_mentor_id, duration_ms, criteria_outcomes)
    values (tests.organisation_a(), tests.peer_mentor_a(), 1, $1);
prepare record as
    select public.record_badge_evaluation(tests.organisation_a(), tests.peer_mentor_a(), 1, p_criteria_outcomes => $1);

create temporary table document (text text, is_fine boolean);
insert into document values
    ('{}', true),
    ('{"b0000000-0000-4000-8000-000000000001": true}', true),
    ('{"b0000000-0000-4000-8000-000000000001": true, "b0000000-0000-4000-8000-000000000002": false}', true),
    ('{"b0000000-0000-4000-8000-000000000001": null}', false),
    ('{"b0000000-0000-4000-8000-000000000001": "true"}', false),
    ('{"b0000000-0000-4000-8000-000000000001": "false"}', false),
    ('{"b0000000-0000-4000-8000-000000000001": 1}', false),
    ('{"b0000000-0000-4000-8000-000000000001": 0}', false),
    ('{"b0000000-0000-4000-8000-000000000001": []}', false),
    ('{"b0000000-0000-4000-8000-000000000001": [true]}', false),
    ('{"b0000000-0000-4000-8000-000000000001": {}}', false),
    ('{"b0000000-0000-4000-8000-000000000001": {"b": true}}', false),
    ('{"b0000000-0000-4000-8000-000000000001": true, "b0000000-0000-4000-8000-000000000002": "no"}', false),
    ('{"a": true}', false),
    ('{"B0000000-0000-4000-8000-000000000001": true}', false),
    ('[]', false),
    ('[true]', false),
    ('true', false),
    ('"true"', false),
    ('null', false);

select case
    when document.is_fine then lives_ok(format('execute %s(%L)', way, document.text), format('%s %s', way, document.text))
    else throws_ok(format('execute %s(%L)', way, document.text), '23514', null, format('%s not %s', way, document.text))
end
from document cross join unnest('{write,record}'::text[]) as way;
select is((select count(*) from public.badge_evaluation_logs), 6::bigint, 'what was refused is not there');

select * from finish();
rollback;
