-- Core alone has nowhere to write yet: what was done is then in the tables that it changed.
create or replace function pgtrail._record_act(action text, organisation_id uuid, details jsonb)
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
begin
    if not exists (select from pgtrail.trail as registered where registered.trail_name = 'audit_log') then
        return;
    end if;
    insert into public.audit_log (organisation_id, actor_id, actor_kind, action, details)
    values (
        coalesce(_record_act.organisation_id, pgtrail.platform_organisation()),
        session_user, 'system', _record_act.action, jsonb_strip_nulls(_record_act.details));
end;
$$;

revoke all on function pgtrail._record_act from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._record_act is
    'Records an act of administration in audit_log, where that is installed: of an organisation, or of the platform.';
