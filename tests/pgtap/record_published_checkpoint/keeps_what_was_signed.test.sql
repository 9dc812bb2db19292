begin;
select plan(15);

select tests.act_as_owner();
select pgtrail.start_new_origin('a name', 'example.org/log');
create function pg_temp.body() returns text language sql as $$
    select E'example.org/log\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n'
$$;
create function pg_temp.attempt(note text) returns void language sql as $$
    select pgtrail.record_published_checkpoint(note)
$$;

select lives_ok($$ select pg_temp.attempt(pg_temp.body() || E'\n— example.org/log AAAA\n') $$, 'a signed checkpoint is kept');
select results_eq(
    'select origin, tree_size, root from pgtrail.published_checkpoint',
    $$ values ('example.org/log', 0::bigint, sha256('')) $$, 'with what it says');
select lives_ok(
    $$ select pg_temp.attempt(pg_temp.body() || E'\n— example.org/log AAAA\n— witness.example BBBB\n') $$,
    'the same with the signature of a witness');
select lives_ok($$ select pg_temp.attempt(pg_temp.body() || E'\n— other.example CCCC\n') $$, 'and of another');
select results_eq(
    'select note from pgtrail.published_checkpoint',
    $$ select pg_temp.body() || E'\n— example.org/log AAAA\n— witness.example BBBB\n— other.example CCCC\n' $$,
    'adds these signatures to that one');

select throws_ok($$ select pg_temp.attempt('') $$, '22P02', 'malformed signed checkpoint');
select throws_ok($$ select pg_temp.attempt(null) $$, '22P02', 'malformed signed checkpoint');
select throws_ok('select pg_temp.attempt(pg_temp.body())', '22P02', 'malformed signed checkpoint');
select throws_ok($$ select pg_temp.attempt(pg_temp.body() || E'\n') $$, '22P02', 'malformed signed checkpoint');
select throws_ok(
    $$ select pg_temp.attempt(pg_temp.body() || E'\n— unsigned\n') $$, '22P02', 'malformed signed checkpoint');
select throws_ok(
    $$ select pg_temp.attempt(replace(pg_temp.body(), '/log', '/other') || E'\n— x AAAA\n') $$,
    'TR003', 'the checkpoint is of another origin');
select throws_ok(
    $$ select pg_temp.attempt(replace(pg_temp.body(), '47DE', '48DE') || E'\n— x AAAA\n') $$,
    'TR003', 'the checkpoint does not fit the log');
select throws_ok(
    $$ select pg_temp.attempt(replace(pg_temp.body(), E'\n0\n', E'\n7\n') || E'\n— x AAAA\n') $$,
    'TR003', 'the checkpoint does not fit the log');

select tests.act_as('auditor');
select throws_ok(
    $$ select pgtrail.record_published_checkpoint('x') $$,
    '42501', 'permission denied for function record_published_checkpoint');
select tests.act_as('service');
select throws_ok($$ select pgtrail.record_published_checkpoint('x') $$, '42501');

select * from finish();
rollback;
