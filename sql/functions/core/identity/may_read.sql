-- It says what the policies of every trail say, for RPCs that must refuse instead of returning nothing.
-- Roles, not claims, decide who is trusted; pg_has_role is how Postgres matches "to <role>" in a policy.
create or replace function pgtrail.may_read(organisation_id uuid)
    returns boolean
    language plpgsql stable parallel safe
    set search_path = pg_catalog, pg_temp
as $$
begin
    return pg_has_role(current_user, 'service_role', 'usage')
        or pg_has_role(current_user, 'pgtrail_auditor', 'usage')
        or pg_has_role(current_user, 'pgtrail_owner', 'usage')
        or may_read.organisation_id = any (pgtrail.readable_organisations());
end;
$$;

revoke all on function pgtrail.may_read from public, anon;
grant execute on function pgtrail.may_read to authenticated, service_role, pgtrail_auditor;
comment on function pgtrail.may_read is 'Tells whether the caller may read the entries of an organisation.';
