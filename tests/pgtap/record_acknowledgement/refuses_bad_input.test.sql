begin;
select plan(16);

select tests.act_as('service');
create function pg_temp.acknowledgement(more text) returns text language plpgsql
as $$
begin
    return 'select public.record_acknowledgement(p_organisation_id => tests.organisation_a(), '
        'p_coordinator_id => tests.coordinator_a(), p_mentor_id => tests.peer_mentor_a(), '
        'p_certificate_type => ''first aid'', p_threshold_tier => ''lapsed''' || more || ')';
end;
$$;

select throws_ok(
    replace(pg_temp.acknowledgement(''), '''first aid''', ''''''), '23514', null, 'an empty certificate type');
select throws_ok(
    replace(pg_temp.acknowledgement(''), '''first aid''', 'repeat(''x'', 201)'), '23514', null,
    'a long certificate type');
select throws_ok(pg_temp.acknowledgement(', p_note => repeat(''x'', 2001)'), '23514', null, 'a long note');
select throws_ok(pg_temp.acknowledgement(', p_id => gen_random_uuid()'), '22023', null, 'an id that is no UUIDv7');
select throws_ok(
    pg_temp.acknowledgement(', p_id => pgtrail.uuid7(), p_acknowledged_at => now() - interval ''1 day'''), '22023',
    null, 'an id that contradicts the time');
select throws_ok(
    pg_temp.acknowledgement(', p_acknowledged_at => now() + interval ''6 minutes'''), '23514', null,
    'a time in the future');
select throws_ok(
    pg_temp.acknowledgement(', p_acknowledged_at => ''2001-01-01'''), '23514', null, 'a time before all partitions');
select throws_ok(pg_temp.acknowledgement(', p_acknowledged_at => ''-infinity'''), '22008', null, 'no time at all');
select throws_ok(
    replace(pg_temp.acknowledgement(''), '''lapsed''', '''soon'''), '22P02', null, 'a tier that is none');
select throws_ok(
    pg_temp.acknowledgement(', p_notification_id => ''42'''), '22P02', null, 'a notification that is no uuid');
select throws_ok(
    replace(pg_temp.acknowledgement(''), missing, 'null'), '23502', null, 'without ' || missing)
from unnest('{tests.organisation_a(),tests.coordinator_a(),tests.peer_mentor_a(),''first aid'',''lapsed''}'::text[])
    as required (missing);
select is_empty('select from public.coordinator_acknowledgement_audit', 'nothing was written');

select * from finish();
rollback;
