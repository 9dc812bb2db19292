drop policy if exists select_auditor on pgtrail.failed_write;
create policy select_auditor on pgtrail.failed_write for select to pgtrail_auditor using (true);
