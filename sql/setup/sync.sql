select pgtrail.create_trail('public.hlf_sync_audit_log', 'organisation_id');
select pgtrail.set_summary('public.hlf_sync_audit_log', 'entry.outcome');
