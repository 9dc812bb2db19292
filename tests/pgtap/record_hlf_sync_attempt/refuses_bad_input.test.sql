begin;
select plan(18);

select tests.act_as('service');
create function pg_temp.attempt(more text) returns text language plpgsql
as $$
begin
    return 'select public.record_hlf_sync_attempt(p_organisation_id => tests.organisation_a(), '
        'p_mentor_id => tests.peer_mentor_a(), p_sync_direction => ''remove'', p_outcome => ''success'', '
        'p_source => ''nightly_batch''' || more || ')';
end;
$$;

select throws_ok(pg_temp.attempt(', p_portal_response_code => 99'), '23514', null, 'a status below 100');
select throws_ok(pg_temp.attempt(', p_portal_response_code => 600'), '23514', null, 'a status above 599');
select throws_ok(pg_temp.attempt(', p_retry_count => -1'), '23514', null, 'fewer than no retries');
select throws_ok(pg_temp.attempt($$, p_requested_by => repeat('x', 256)$$), '23514', null, 'a long name');
select throws_ok(pg_temp.attempt(', p_id => gen_random_uuid()'), '22023', null, 'an id that is no UUIDv7');
select throws_ok(
    pg_temp.attempt(', p_id => pgtrail.uuid7(), p_attempted_at => now() - interval ''1 day'''), '22023', null,
    'an id that contradicts the time');
select throws_ok(
    pg_temp.attempt(', p_attempted_at => now() + interval ''6 minutes'''), '23514', null, 'a time in the future');
select throws_ok(pg_temp.attempt(', p_attempted_at => ''2001-01-01'''), '23514', null, 'a time before all partitions');
select throws_ok(pg_temp.attempt(', p_attempted_at => ''infinity'''), '22008', null, 'no time at all');
select throws_ok(
    replace(pg_temp.attempt(''), '''remove''', '''sideways'''), '22P02', null, 'a direction that is none');
select throws_ok(replace(pg_temp.attempt(''), '''success''', '''perhaps'''), '22P02', null, 'an outcome that is none');
select throws_ok(
    replace(pg_temp.attempt(''), '''nightly_batch''', '''whim'''), '22P02', null, 'a source that is none');
select throws_ok(
    replace(pg_temp.attempt(''), 'tests.organisation_a()', 'null'), '23502', null, 'no organisation');
select throws_ok(replace(pg_temp.attempt(''), 'tests.peer_mentor_a()', 'null'), '23502', null, 'no mentor');
select throws_ok(replace(pg_temp.attempt(''), '''success''', 'null'), '23502', null, 'no outcome');
select throws_ok(
    $$ insert into public.hlf_sync_audit_log (organisation_id, mentor_id, sync_direction, outcome, source, error_code)
    values (tests.organisation_a(), tests.peer_mentor_a(), 'remove', 'dead_letter', 'force_sync', '503') $$,
    '23514', null, 'a direct INSERT of an error that is not of the vocabulary');
select throws_ok(
    $$ insert into public.hlf_sync_audit_log (organisation_id, mentor_id, sync_direction, outcome, source, recorded_at)
    values (tests.organisation_a(), tests.peer_mentor_a(), 'remove', 'success', 'force_sync', now()) $$,
    '42501', null, 'a column that the database sets');
select is_empty('select from public.hlf_sync_audit_log', 'nothing was written');

select * from finish();
rollback;
