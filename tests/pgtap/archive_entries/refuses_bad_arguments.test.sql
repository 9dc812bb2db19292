begin;
select plan(9);

select tests.act_as('auditor');
select is_empty(
    $$ select * from pgtrail.archive_entries('public.audit_log', '2024-05-01') $$,
    'a month that the log has nothing of has no entries');
select throws_ok($$ select pgtrail.archive_entries('public.organisations', '2024-05-01') $$, '22023');
select throws_ok(
    $$ select pgtrail.archive_entries('public.audit_log', '2024-05-02') $$,
    '22023', 'a month is named by its first day');
select throws_ok(
    $$ select pgtrail.archive_entries('public.audit_log', null) $$, '22023', 'a month is named by its first day');
select throws_ok(
    $$ select pgtrail.archive_entries('public.audit_log', 'infinity') $$,
    '22023', 'a month is named by its first day');
select throws_ok(
    $$ select pgtrail.archive_entries('public.audit_log', '2024-05-01', -2) $$,
    '22023', 'after_leaf must be a leaf, or -1');
select throws_ok(
    $$ select pgtrail.archive_entries('public.audit_log', '2024-05-01', null) $$,
    '22023', 'after_leaf must be a leaf, or -1');
select throws_ok(
    $$ select pgtrail.archive_entries('public.audit_log', '2024-05-01', -1, 0) $$,
    '22023', 'max_entries must be 1 or more');
select throws_ok(
    $$ select pgtrail.archive_entries('public.audit_log', '2024-05-01', -1, null) $$,
    '22023', 'max_entries must be 1 or more');

select * from finish();
rollback;
