create or replace function pgtrail.set_retention_floor(keep_at_least interval)
    returns void
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    if (set_retention_floor.keep_at_least >= interval '0') is not true then
        raise exception 'the floor must be an interval of zero or more'
            using errcode = 'invalid_parameter_value',
                  detail = format('got %s', coalesce(set_retention_floor.keep_at_least::text, 'null')),
                  hint = 'It is 30 days at first.';
    end if;
    update pgtrail.retention_setting as setting set keep_at_least = set_retention_floor.keep_at_least;
    perform pgtrail._record_act('retention.floor_set', null, jsonb_build_object(
        'keep_at_least', set_retention_floor.keep_at_least));
end;
$$;

revoke all on function pgtrail.set_retention_floor from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail.set_retention_floor is
    'Sets the shortest time that any entry is kept, whatever the policies say: 30 days at first. For the owner. '
    'Audited. Raises 22023.';
