begin;
select plan(19);

create table public.licence (id int primary key, name text, note text, words text, phone text);
create table public.pair (a int, b text, n int, primary key (b, a));
create table public.keyless (n int);
create table public.untracked (id int primary key);
grant select on public.licence, public.pair, public.keyless, public.untracked to service_role, pgtrail_auditor;
create temporary table moment (name text, at timestamptz);
grant select on moment to public;
create function pg_temp.note(moment_name text) returns void language sql as $$
    select pg_sleep(0.002); insert into moment values (moment_name, clock_timestamp()); select pg_sleep(0.002)
$$;

select pgtrail.track('public.licence', exclude => '{words}', redact => '{phone}');
select pgtrail.track('public.pair');
select pgtrail.track('public.keyless');
select pg_temp.note('before');
insert into public.licence values (1, 'a', null, 'w', '1');
insert into public.pair values (1, 'x', 1);
select pg_temp.note('inserted');
update public.licence set name = 'b', note = 'n', words = 'v', phone = '2';
update public.pair set n = 2;
select pg_temp.note('updated');
delete from public.licence;
select pg_temp.note('deleted');
insert into public.licence values (1, 'c');
select pg_temp.note('again');

create function pg_temp.then(moment_name text, key text default '1', target regclass default 'public.licence')
    returns jsonb language sql as $$
    select pgtrail.row_at(target, key, (select at from moment where moment.name = moment_name))
$$;
prepare call as select pgtrail.row_at('public.licence', '1', now());

select tests.act_as('anon');
select throws_ok('call', '42501');
select tests.act_as('coordinator_a');
select throws_ok('call', '42501', 'permission denied for function row_at');
select tests.act_as('org_admin_a');
select throws_ok('call', '42501', 'permission denied for function row_at');
select tests.act_as('service');
select lives_ok('call', 'service_role');
select tests.act_as('auditor');
select lives_ok('call', 'an auditor who may read the table');

select is(pg_temp.then('before'), null, 'before there was one');
select is(
    pg_temp.then('inserted') - 'words', '{"id": 1, "name": "a", "note": null, "phone": null}',
    'as it was inserted; of what is redacted nothing is known');
select is(
    pg_temp.then('updated') - 'words', '{"id": 1, "name": "b", "note": "n", "phone": null}', 'as it was updated');
select is(pg_temp.then('deleted'), null, 'when it was gone');
select is(
    pg_temp.then('again'), '{"id": 1, "name": "c", "note": null, "words": null, "phone": null}',
    'the row as it is');
select is(pg_temp.then('inserted', '["x", 1]', 'public.pair'), '{"a": 1, "b": "x", "n": 1}', 'a key of two columns');
select is(pg_temp.then('updated', '["x", 1]', 'public.pair'), '{"a": 1, "b": "x", "n": 2}');
select is(pg_temp.then('again', '2'), null, 'a key that never was');
select is(pg_temp.then('again', 'no number'), null, 'a key that cannot be');
select throws_ok(
    'select pgtrail.row_at(''public.untracked'', ''1'', now())', '22023',
    'public.untracked is not tracked, or has no primary key');
select throws_ok(
    'select pgtrail.row_at(''public.keyless'', ''1'', now())', '22023',
    'public.keyless is not tracked, or has no primary key');
select throws_ok('select pgtrail.row_at(null, ''1'', now())', '22023', 'null is not tracked, or has no primary key');

select tests.act_as_self();
revoke select on public.licence from pgtrail_auditor;
select tests.act_as('auditor');
select throws_ok('call', '42501', 'permission denied for table licence', 'it shows what the caller may read');
select lives_ok('select pgtrail.row_at(''public.pair'', ''["x", 1]'', now())');

select * from finish();
rollback;
