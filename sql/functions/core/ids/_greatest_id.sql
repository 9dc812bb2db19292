create or replace function pgtrail._greatest_id()
    returns uuid
    language plpgsql immutable parallel safe
    set search_path = pg_catalog, pg_temp
as $$
begin
    return 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid;
end;
$$;

revoke all on function pgtrail._greatest_id from public, anon;
grant execute on function pgtrail._greatest_id to authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._greatest_id is 'Returns the UUID that lies behind the id of every entry.';
