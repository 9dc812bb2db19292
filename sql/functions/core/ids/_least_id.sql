create or replace function pgtrail._least_id()
    returns uuid
    language plpgsql immutable parallel safe
    set search_path = pg_catalog, pg_temp
as $$
begin
    return '00000000-0000-0000-0000-000000000000'::uuid;
end;
$$;

revoke all on function pgtrail._least_id from public, anon;
grant execute on function pgtrail._least_id to authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._least_id is 'Returns the UUID that lies before the id of every entry.';
