select pgtrail.create_trail('public.coordinator_acknowledgement_audit', 'organisation_id', erasable => '{note}');
select pgtrail.set_summary('public.coordinator_acknowledgement_audit', 'entry.threshold_tier');
