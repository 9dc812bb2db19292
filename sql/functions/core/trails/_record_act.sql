create or replace function pgtrail._record_act(action text, organisation_id uuid, details jsonb)
    returns void
    language plpgsql
    volatile
    set search_path = pg_catalog, pg_temp
as $$
begin
    insert into public.audit_log (organisation_id, actor_id, actor_kind, action, details)
    values (
        coalesce(_record_act.organisation_id, '00000000-0000-0000-0000-000000000000'),
        session_user, 'system', _record_act.action, jsonb_strip_nulls(_record_act.details));
end;
$$;

revoke all on function pgtrail._record_act(text, uuid, jsonb)
    from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._record_act(text, uuid, jsonb) is
    'Records an act of administration in audit_log: of an organisation, or of the platform.';
