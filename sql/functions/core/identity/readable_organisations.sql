-- Definer: callers may not read pgtrail.membership. It answers only about the caller.
create or replace function pgtrail.readable_organisations()
    returns uuid[]
    language plpgsql stable parallel safe security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    return array(
        select membership.organisation_id
        from pgtrail.membership
        where membership.user_id = (select pgtrail.jwt_subject())
            and membership.role in (select reader.role from pgtrail.reader_role as reader)
            and membership.organisation_id <> pgtrail.platform_organisation()
    );
end;
$$;

revoke all on function pgtrail.readable_organisations from public, anon;
grant execute on function pgtrail.readable_organisations to authenticated, service_role, pgtrail_auditor;
comment on function pgtrail.readable_organisations is
    'Returns the organisations whose entries the subject of the request may read: those in which it has '
    'a role of pgtrail.reader_role according to pgtrail.membership. Never the platform organisation.';
