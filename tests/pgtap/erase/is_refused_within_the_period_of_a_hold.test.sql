-- Bounds of a hold are those of every period here: from_at belongs to it, to_at does not.
begin;
select plan(7);

select tests.act_as('service');
select public.prepare_audit_backfill('audit_log', '2026-01-01+00');
select public.record_audit_event(
    tests.organisation_a(), 'test', p_id => pgtrail.uuid7('2026-01-15 12:00+00'), p_details => '{"a": 1}');

select tests.act_as_owner();
prepare erase as
    select pgtrail.erase('public.audit_log', id, '{details}', 'a request') from public.audit_log where action = 'test';
create function pg_temp.hold(
    of uuid default tests.organisation_a(), on_trail regclass default null, from_at timestamptz default null,
    to_at timestamptz default null) returns void language plpgsql
as $$
begin
    perform pgtrail.release_legal_hold(hold_id, 'another case') from pgtrail.legal_hold where released_at is null;
    perform pgtrail.place_legal_hold(of, 'a case', on_trail, from_at, to_at);
end;
$$;

select pg_temp.hold(from_at => '2026-01-15 12:00+00');
select throws_ok('erase', 'TR004', 'the entry is under a legal hold', 'of an event at its beginning');
select pg_temp.hold(to_at => '2026-01-15 12:00:00.001+00');
select throws_ok('erase', 'TR004', 'the entry is under a legal hold', 'of the last event before its end');
select pg_temp.hold(of => null);
select throws_ok('erase', 'TR004', 'the entry is under a legal hold', 'of an event, when all organisations are held');
select pg_temp.hold(on_trail => 'public.audit_log');
select throws_ok('erase', 'TR004', 'the entry is under a legal hold', 'of an event of the trail');

-- Beside all of these it is not.
create function pg_temp.erased() returns boolean language plpgsql
as $$
begin
    execute 'execute erase';
    return (select details is null from public.audit_log where action = 'test');
end;
$$;
select pg_temp.hold(of => tests.organisation_b());
select pgtrail.place_legal_hold(tests.organisation_a(), 'a case', 'public.hlf_sync_audit_log');
select pgtrail.place_legal_hold(tests.organisation_a(), 'a case', to_at => '2026-01-15 12:00+00');
select pgtrail.place_legal_hold(tests.organisation_a(), 'a case', from_at => '2026-01-15 12:00:00.001+00');
select ok(pg_temp.erased(), 'an event beside every hold is erased');
select is(
    (select count(*) from public.audit_log where action = 'entry.erased'), 1::bigint, 'which is an entry');
select pg_temp.erased();
select is(
    (select count(*) from public.audit_log where action = 'entry.erased'), 1::bigint, 'and the second time is none');

select * from finish();
rollback;
