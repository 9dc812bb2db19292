drop policy if exists select_auditor on pgtrail.tracked_table;
create policy select_auditor on pgtrail.tracked_table for select to pgtrail_auditor using (true);
-- service_role calls pgtrail.row_at().
drop policy if exists select_service on pgtrail.tracked_table;
create policy select_service on pgtrail.tracked_table for select to service_role using (true);
