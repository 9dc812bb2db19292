begin;
select plan(44);

create function pg_temp.status(name text) returns text language sql as $$
    select status from pgtrail.health() where check_name = name
$$;

select tests.act_as('auditor');
select results_eq(
    $$ select check_name from pgtrail.health() where check_name <> 'jobs' $$,
    $$ values ('seal'), ('maintenance'), ('seal lag'), ('published checkpoint'), ('unsealable entries'),
        ('verification'), ('partitions ahead'), ('guards'), ('row security'), ('grants'), ('alerts'), ('retention'),
        ('tracked tables'), ('failed writes') $$,
    'a row a check');
select is_empty(
    $$ select * from pgtrail.health() where status not in ('ok', 'warning', 'critical') or detail is null $$,
    'each with a status and a detail');
select is(pg_temp.status('published checkpoint'), 'warning', 'a log that was never published is no evidence yet');
select is(pg_temp.status('unsealable entries'), 'ok');
select is(pg_temp.status('verification'), 'ok', 'there is nothing to verify yet');

select tests.act_as_owner();
update pgtrail.log set sealed_at = now();
select is(pg_temp.status('seal'), 'ok');
update pgtrail.log set sealed_at = now() - interval '11 minutes', tx_id = pg_current_xact_id();
select is(pg_temp.status('seal'), 'ok', 'without entries nobody needs to seal');
insert into public.audit_log (organisation_id, action) values (tests.organisation_a(), 'test');
select is(pg_temp.status('seal'), 'critical', 'a log that nobody seals');

select is(pg_temp.status('maintenance'), 'ok', 'a new installation has time');
update pgtrail.log set maintained_at = now() - interval '27 hours';
select is(pg_temp.status('maintenance'), 'critical', 'a maintenance that does not run');

insert into pgtrail.unsealable_entry (trail_name, entry_id, sqlstate, reason)
values ('audit_log', gen_random_uuid(), '22003', 'out of range');
select is(pg_temp.status('unsealable entries'), 'warning', 'an entry that was set aside');

select pgtrail.record_published_checkpoint(pgtrail.checkpoint() || E'\n— x AAAA\n');
select is(pg_temp.status('published checkpoint'), 'ok', 'the present tree is published');
update pgtrail.published_checkpoint set tree_size = 9;
select is(pg_temp.status('published checkpoint'), 'critical', 'a checkpoint that does not fit');
select pgtrail.start_new_origin('recovery');
select is(pg_temp.status('published checkpoint'), 'warning', 'under a new origin it is no matter');

select is(pg_temp.status('partitions ahead'), 'ok');
select is(pg_temp.status('guards'), 'ok');
alter table public.audit_log enable trigger refuse_change_of_statement;
select is(pg_temp.status('guards'), 'critical', 'a guard as a restore with --disable-triggers leaves it');
alter table public.audit_log enable always trigger refuse_change_of_statement;
select is(pg_temp.status('row security'), 'ok');
alter table public.audit_log disable row level security;
select is(pg_temp.status('row security'), 'critical', 'a trail without row level security');
alter table public.audit_log enable row level security;
select is(pg_temp.status('grants'), 'ok');
grant update on public.audit_log to service_role;
select is(pg_temp.status('grants'), 'critical', 'a privilege that nobody should have');
revoke update on public.audit_log from service_role;
select is(pg_temp.status('alerts'), 'ok');
select pgtrail._set_alert('test', 'critical');
select is(pg_temp.status('alerts'), 'critical', 'an alert that is open');
select pgtrail._set_alert('test', 'ok');
select is(pg_temp.status('alerts'), 'ok', 'until it is over');
select pgtrail.ensure_partitions('public.audit_log', now(), now());
do $$ declare part record; begin
    for part in select partition from pgtrail._monthly_partitions('public.audit_log') where month > now() + interval '1 month' loop
        execute format('drop table %s', part.partition);
    end loop;
end $$;
select is(pg_temp.status('partitions ahead'), 'critical', 'less than two months ahead');
select pgtrail.ensure_partitions('public.audit_log', now(), now() + interval '13 months');
select is(pg_temp.status('retention'), 'ok', 'without a policy nothing is due');
select pgtrail.set_retention('public.audit_log', '1 year');
update pgtrail.retention_setting set database_oid = 1;
select is(pg_temp.status('retention'), 'warning', 'a copy of the database removes nothing');
select pgtrail.enable_retention();
select is(pg_temp.status('retention'), 'ok', 'a new policy has time');
update pgtrail.retention_policy set set_at = now() - interval '2 days';
select is(pg_temp.status('retention'), 'critical', 'a retention that does not run');
select pgtrail.apply_retention();
select is(pg_temp.status('retention'), 'ok', 'until it does');
insert into pgtrail.rollup (trail_name, organisation_id, unit, starts_at, bucket, entries, last_at)
values ('audit_log', tests.organisation_a(), 'month', '2020-01-01Z', 'old', 1, '2020-01-02Z');
select is(pg_temp.status('retention'), 'critical', 'something past its policy that is still there');

select tests.act_as_self();
select is(pg_temp.status('tracked tables'), 'ok', 'no table is tracked');
create table public.licence (id int primary key);
select pgtrail.track('public.licence');
select is(pg_temp.status('tracked tables'), 'ok');
alter table public.licence add column name text;
select is(pg_temp.status('tracked tables'), 'critical', 'a tracked table that was altered');
select pgtrail.refresh_tracking();
select is(pg_temp.status('tracked tables'), 'ok', 'until tracking is refreshed');
alter table public.licence disable trigger pgtrail_capture_update;
select is(pg_temp.status('tracked tables'), 'critical', 'a trigger that is disabled');
select pgtrail.track('public.licence');
drop trigger pgtrail_capture_insert on public.licence;
select is(pg_temp.status('tracked tables'), 'critical', 'a trigger that is gone');
select pgtrail.untrack('public.licence');
select is(pg_temp.status('tracked tables'), 'ok', 'until the table is tracked no more');

select tests.act_as_owner();
select is(pg_temp.status('failed writes'), 'ok');
insert into pgtrail.failed_write (entry, sqlstate, message)
values (jsonb_build_object(
    'id', pgtrail.uuid7(), 'organisation_id', tests.organisation_a(), 'actor_kind', 'system', 'action', 'test',
    'database_role', 'test', 'details', '{}'::jsonb), '53100', 'full');
select is(pg_temp.status('failed writes'), 'critical', 'a change that waits to be recorded');
select pgtrail.replay_failed_writes();
select is(pg_temp.status('failed writes'), 'ok', 'until it is');

select tests.act_as('service');
select throws_ok('select * from pgtrail.health()', '42501', 'permission denied for function health');
select tests.act_as('org_admin_a');
select throws_ok('select * from pgtrail.health()', '42501');
select tests.act_as('anon');
select throws_ok('select * from pgtrail.health()', '42501');

select * from finish();
rollback;
