begin;
select plan(7);

select is(pgtrail.ensure_partitions('public.audit_log', '2019-11-30 23:59:59+00', '2020-02-01 00:00:00+00'), 4,
    'both ends are included');
select is(pgtrail.ensure_partitions('public.audit_log', '2019-11-01+00', '2020-02-29+00'), 0, 'a second call finds nothing to do');
select is(pgtrail.ensure_partitions('public.audit_log', '2019-10-01+00', '2020-03-01+00'), 2, 'a wider one adds the rest');
select results_eq(
    $$ select format('%s', class.relname) collate "default" from pg_inherits join pg_class as class on class.oid = inhrelid
       where inhparent = 'public.audit_log'::regclass and class.relname < 'audit_log_2021' order by 1 $$,
    $$ values ('audit_log_2019_10'), ('audit_log_2019_11'), ('audit_log_2019_12'), ('audit_log_2020_01'),
              ('audit_log_2020_02'), ('audit_log_2020_03') $$,
    'they are named by their month');
select is(
    (select pg_get_expr(relpartbound, oid) from pg_class where relname = 'audit_log_2020_01'),
    format('FOR VALUES FROM (%L) TO (%L)', pgtrail.uuid7_floor('2020-01-01+00'), pgtrail.uuid7_floor('2020-02-01+00')),
    'their bounds are the first ids of two months');
select results_eq(
    $$ select format('%s %s', tgname, tgenabled) collate "default" from pg_trigger where tgrelid = 'pgtrail_partitions.audit_log_2020_01'::regclass order by 1 $$,
    $$ values ('refuse_change_of_row A'), ('refuse_change_of_statement A') $$,
    'they are guarded like the trail');
select ok(
    (select relowner = 'pgtrail_owner'::regrole and relrowsecurity from pg_class where relname = 'audit_log_2020_01'),
    'they belong to the owner, with row level security on');

select * from finish();
rollback;
