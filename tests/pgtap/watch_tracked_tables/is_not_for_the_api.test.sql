begin;
select plan(14);

select tests.act_as('anon');
select throws_ok('select pgtrail.watch_tracked_tables()', '42501');
select throws_ok('select pgtrail.unwatch_tracked_tables()', '42501');
select throws_ok('select pgtrail.tg__refresh_tracking()', '42501');
select tests.act_as('org_admin_a');
select throws_ok('select pgtrail.watch_tracked_tables()', '42501', 'permission denied for function watch_tracked_tables');
select throws_ok('select pgtrail.unwatch_tracked_tables()', '42501', 'permission denied for function unwatch_tracked_tables');
select throws_ok('select pgtrail.tg__refresh_tracking()', '42501', 'permission denied for function tg__refresh_tracking');
select tests.act_as('service');
select throws_ok('select pgtrail.watch_tracked_tables()', '42501', 'permission denied for function watch_tracked_tables');
select throws_ok('select pgtrail.unwatch_tracked_tables()', '42501', 'permission denied for function unwatch_tracked_tables');
select throws_ok('select pgtrail.tg__refresh_tracking()', '42501', 'permission denied for function tg__refresh_tracking');
select tests.act_as('auditor');
select throws_ok('select pgtrail.watch_tracked_tables()', '42501', 'permission denied for function watch_tracked_tables');
select throws_ok('select pgtrail.unwatch_tracked_tables()', '42501', 'permission denied for function unwatch_tracked_tables');
select throws_ok('select pgtrail.tg__refresh_tracking()', '42501', 'permission denied for function tg__refresh_tracking');

-- pgtrail_owner may call it, and Postgres lets no such role make an event trigger.
select tests.act_as_owner();
select throws_ok(
    'select pgtrail.watch_tracked_tables()', '42501',
    'pgtrail_owner may not create or replace event trigger pgtrail_refresh_tracking');
select lives_ok('select pgtrail.unwatch_tracked_tables()', 'without it there is nothing to do');

select * from finish();
rollback;
