create or replace function pgtrail._era_end()
    returns pgtrail.log_position
    language plpgsql immutable parallel safe
    set search_path = pg_catalog, pg_temp
as $$
begin
    return row('18446744073709551615'::xid8, ''::text collate "C", pgtrail._least_id())::pgtrail.log_position;
end;
$$;

revoke all on function pgtrail._era_end from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._era_end is 'Returns the position behind every entry of an era.';
