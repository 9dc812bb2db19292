create or replace function pgtrail._refuse_time(at timestamptz)
    returns uuid
    language plpgsql immutable strict parallel safe
    set search_path = pg_catalog, pg_temp
as $$
begin
    raise exception 'time % does not fit into a UUIDv7', _refuse_time.at
        using errcode = 'datetime_field_overflow',
              hint = 'Give a time from 1970 on and before the year 10889.';
end;
$$;

revoke all on function pgtrail._refuse_time from public, anon;
grant execute on function pgtrail._refuse_time to authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._refuse_time is 'Raises 22008: for times that pgtrail.uuid7 cannot hold.';
