begin;
select plan(14);

select tests.act_as_owner();
select is(
    pgtrail.start_new_origin('first', 'audit.example.org/app'), 'audit.example.org/app', 'it returns the origin');
select is((select origin from pgtrail.log), 'audit.example.org/app', 'which is that of the log from now on');
select is(
    pgtrail.start_new_origin('recovery'), 'audit.example.org/app/3',
    'without a name the old one gets a number: this is the third');
select is(pgtrail.start_new_origin('another'), 'audit.example.org/app/4', 'and then the next');
select results_eq(
    $$ select origin, from_size, reason from pgtrail.origin where reason <> 'the log was created' order by started_at $$,
    $$ values
        ('audit.example.org/app', 0::bigint, 'first'),
        ('audit.example.org/app/3', 0, 'recovery'),
        ('audit.example.org/app/4', 0, 'another') $$,
    'all are kept, with their reasons');

select throws_ok(
    $$ select pgtrail.start_new_origin('again', 'audit.example.org/app') $$,
    '23505', 'the log has had this origin already');
select throws_ok($$ select pgtrail.start_new_origin('') $$, '22023', 'a reason is required');
select throws_ok($$ select pgtrail.start_new_origin(null) $$, '22023', 'a reason is required');
select throws_ok(
    $$ select pgtrail.start_new_origin('why', 'with space') $$,
    '22023', 'an origin has 1 to 200 characters, no space and no plus');
select throws_ok($$ select pgtrail.start_new_origin('why', 'with+plus') $$, '22023');
select throws_ok($$ select pgtrail.start_new_origin('why', E'two\nlines') $$, '22023');
select throws_ok($$ select pgtrail.start_new_origin('why', '') $$, '22023');

select tests.act_as('auditor');
select throws_ok($$ select pgtrail.start_new_origin('why') $$, '42501', 'permission denied for function start_new_origin');
select tests.act_as('service');
select throws_ok($$ select pgtrail.start_new_origin('why') $$, '42501');

select * from finish();
rollback;
