drop policy if exists select_member on pgtrail.rollup;
create policy select_member on pgtrail.rollup for select to authenticated
    using (organisation_id = any ((select pgtrail.readable_organisations())::uuid[]));
drop policy if exists select_auditor on pgtrail.rollup;
create policy select_auditor on pgtrail.rollup for select to pgtrail_auditor using (true);
drop policy if exists select_service on pgtrail.rollup;
create policy select_service on pgtrail.rollup for select to service_role using (true);
