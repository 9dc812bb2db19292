begin;
select plan(4);

select throws_ok($$ select pgtrail.uuid7('1969-12-31 23:59:59+00') $$, '22008');
select throws_ok($$ select pgtrail.uuid7('infinity') $$, '22008');
select throws_ok($$ select pgtrail.uuid7('-infinity') $$, '22008');
select lives_ok($$ select pgtrail.uuid7('10888-12-31 23:59:59+00') $$, 'the last years of the format are held');

select * from finish();
rollback;
