create or replace function pgtrail._set_trail_policies(relation regclass, organisation_column name)
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
begin
    -- One policy a role, so that none is evaluated beside another. The subquery runs once per query.
    execute format('drop policy if exists select_member on %s', _set_trail_policies.relation);
    execute format(
        'create policy select_member on %s for select to authenticated '
        'using (%I = any ((select pgtrail.readable_organisations())::uuid[]))',
        _set_trail_policies.relation, _set_trail_policies.organisation_column);
    execute format('drop policy if exists select_auditor on %s', _set_trail_policies.relation);
    execute format(
        'create policy select_auditor on %s for select to pgtrail_auditor using (true)', _set_trail_policies.relation);
    -- service_role bypasses row level security on Supabase, but not where pgtrail itself made the role.
    execute format('drop policy if exists select_service on %s', _set_trail_policies.relation);
    execute format(
        'create policy select_service on %s for select to service_role using (true)', _set_trail_policies.relation);
    execute format('drop policy if exists insert_service on %s', _set_trail_policies.relation);
    execute format(
        'create policy insert_service on %s for insert to service_role with check (true)',
        _set_trail_policies.relation);

    execute format('drop policy if exists all_purger on %s', _set_trail_policies.relation);
    execute format(
        'create policy all_purger on %s to pgtrail_purger using (true) with check (true)',
        _set_trail_policies.relation);
end;
$$;

revoke all on function pgtrail._set_trail_policies from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._set_trail_policies is
    'Gives a trail its policies: members read their organisation, auditors and service_role read all, service_role '
    'writes.';
