create or replace function pgtrail.platform_organisation()
    returns uuid
    language plpgsql immutable parallel safe
    set search_path = pg_catalog, pg_temp
as $$
begin
    return '00000000-0000-0000-0000-000000000000'::uuid;
end;
$$;

revoke all on function pgtrail.platform_organisation from public, anon;
grant execute on function pgtrail.platform_organisation to authenticated, service_role, pgtrail_auditor;
comment on function pgtrail.platform_organisation is
    'Returns the all-zero organisation: the platform itself, which entries that concern no single tenant carry.';
