begin;
select plan(21);

select tests.act_as_owner();
update pgtrail.log set tree_size = 10;
insert into pgtrail.batch
    (log_id, first_leaf, entries, root, era, from_tx_id, from_trail_name, from_entry_id, to_tx_id, to_trail_name, to_entry_id)
select 1, 0, 10, sha256(''), 0, '0', '', nil, '9', '', nil
from (values ('00000000-0000-0000-0000-000000000000'::uuid)) as id (nil);
insert into pgtrail.batch_content (log_id, first_leaf, trail_name, month, entries, purged, version)
values (1, 0, 'audit_log', '2024-05-01', 7, 2, 1), (1, 0, 'audit_log', '2024-06-01', 3, 3, 1);

create function pg_temp.attempt(
    trail regclass default 'public.audit_log', month date default '2024-05-01', entries bigint default 5,
    tree_size bigint default 10, sha256 bytea default sha256('file'), location text default '/srv/file')
    returns void language sql as $$
    select pgtrail.record_archive(trail, month, entries, tree_size, sha256, location)
$$;

select is(pgtrail._is_archived('audit_log', '2024-05-01'), false, 'a month is not archived');
select lives_ok('select pg_temp.attempt()', 'until it is noted, with the entries that were not purged');
select is(pgtrail._is_archived('audit_log', '2024-05-01'), true, 'and then it is');
select results_eq(
    'select trail_name, month, entries, tree_size, sha256, location from pgtrail.archive',
    $$ values ('audit_log', '2024-05-01'::date, 5::bigint, 10::bigint, sha256('file'), '/srv/file') $$,
    'what was said is written down');
select results_eq(
    $$ select organisation_id, details - 'sha256' from public.audit_log where action = 'archive.recorded' $$,
    $$ values ('00000000-0000-0000-0000-000000000000'::uuid,
        '{"trail": "audit_log", "month": "2024-05-01", "entries": 5, "tree_size": 10, "location": "/srv/file"}'::jsonb) $$,
    'and audited');
select lives_ok($$ select pg_temp.attempt(location => '/srv/other') $$, 'once more');
select results_eq(
    'select location from pgtrail.archive', array['/srv/other'], 'takes the place of the first');

select throws_ok(
    'select pg_temp.attempt(entries => 7)', '22023',
    'an archive has the entries that the log has, no more and no less');
select throws_ok('select pg_temp.attempt(entries => 4)', '22023');
select throws_ok('select pg_temp.attempt(entries => null)', '22023');
select throws_ok(
    $$ select pg_temp.attempt(month => '2024-06-01', entries => 0) $$, '22023',
    'an archive has the entries that the log has, no more and no less');
select throws_ok(
    $$ select pg_temp.attempt(month => '2024-05-31') $$, '22023', 'a month is named by its first day');
select throws_ok($$ select pg_temp.attempt(trail => 'public.organisations') $$, '22023');
select throws_ok('select pg_temp.attempt(tree_size => 11)', '22023', 'the log never had this size');
select throws_ok('select pg_temp.attempt(tree_size => null)', '22023', 'the log never had this size');
select throws_ok(
    $$ select pg_temp.attempt(sha256 => '\x00') $$, '22023', 'the digest of an archive has 32 bytes');
select throws_ok(
    'select pg_temp.attempt(sha256 => null)', '22023', 'the digest of an archive has 32 bytes');
select throws_ok($$ select pg_temp.attempt(location => '') $$, '22023', 'an archive needs a location');

prepare record as select pgtrail.record_archive('public.audit_log', '2024-05-01', 5, 10, sha256('file'), '/srv/file');
select tests.act_as('auditor');
select throws_ok('record', '42501', 'permission denied for function record_archive');
select tests.act_as('service');
select throws_ok('record', '42501');
select tests.act_as('anon');
select throws_ok('record', '42501');

select * from finish();
rollback;
