begin;
select plan(7);

select tests.act_as_owner();
select pgtrail.ensure_partitions('public.hlf_sync_audit_log', '2024-05-01+00', '2024-06-01+00');
insert into pgtrail.batch
    (log_id, first_leaf, entries, root, era, from_tx_id, from_trail_name, from_entry_id, to_tx_id, to_trail_name, to_entry_id,
     sealed_at)
select 1, 0, 5, sha256(''), 0, '0', '', nil, '9', '', nil, '2024-06-01+00'
from (values ('00000000-0000-0000-0000-000000000000'::uuid)) as id (nil);
insert into pgtrail.batch_content (log_id, first_leaf, trail_name, month, entries, version)
values (1, 0, 'hlf_sync_audit_log', '2024-05-01', 5, 1);
insert into pgtrail.rollup (trail_name, organisation_id, unit, starts_at, bucket, entries, last_at)
values ('hlf_sync_audit_log', 'a0000000-0000-4000-8000-000000000000', 'month', '2024-05-01+00', 'success', 5, '2024-05-02+00');

select is_empty('select * from pgtrail.archivable_months()', 'without a policy nothing is due');
select pgtrail.set_retention('public.hlf_sync_audit_log', '1 year');
prepare found as select trail_name, month, entries from pgtrail.archivable_months();
select results_eq(
    'found', $$ values ('hlf_sync_audit_log', '2024-05-01'::date, 5::bigint) $$,
    'a month that may be dropped is, but not one without entries');

select tests.act_as('auditor');
select results_eq(
    'found', $$ values ('hlf_sync_audit_log', '2024-05-01'::date, 5::bigint) $$, 'auditors may ask');
select tests.act_as('service');
select throws_ok('found', '42501', 'permission denied for function archivable_months');

select tests.act_as_owner();
select pgtrail.place_legal_hold('a0000000-0000-4000-8000-000000000000', 'a case');
select is_empty('found', 'what is held is not');
select lives_ok(
    $$ select pgtrail.release_legal_hold(hold_id, 'closed') from pgtrail.legal_hold $$, 'until it is released');
update pgtrail.log set tree_size = 5;
select pgtrail.record_archive('public.hlf_sync_audit_log', '2024-05-01', 5, 5, sha256('file'), '/srv/file');
select is_empty('found', 'and what is archived is not');

select * from finish();
rollback;
