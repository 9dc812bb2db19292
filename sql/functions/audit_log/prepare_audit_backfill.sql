-- Definer, so that service_role may prepare a backfill through PostgREST; bounded, because it is exposed.
create or replace function public.prepare_audit_backfill(p_trail text, p_from timestamptz)
    returns int
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_trail regclass;
begin
    if (p_from between now() - interval '20 years' and now()) is not true then
        raise exception 'p_from must lie within the last 20 years'
            using errcode = 'invalid_parameter_value',
                  detail = format('got %s', coalesce(p_from::text, 'null')),
                  hint = 'For older events the owner calls pgtrail.ensure_partitions.';
    end if;

    select registered.relation into v_trail
    from pgtrail.trail as registered
    where registered.trail_name = p_trail;

    if v_trail is null then
        raise exception 'there is no trail named "%"', coalesce(p_trail, 'null')
            using errcode = 'PT404',
                  hint = 'Name a trail without its schema, such as audit_log.';
    end if;

    return pgtrail.ensure_partitions(v_trail, p_from, now());
end;
$$;

revoke all on function public.prepare_audit_backfill(text, timestamptz)
    from public, anon, authenticated, pgtrail_auditor;
grant execute on function public.prepare_audit_backfill(text, timestamptz) to service_role;
comment on function public.prepare_audit_backfill(text, timestamptz) is
    'Creates the monthly partitions that events since p_from need and returns how many it created.
Call it before recording older events. p_from lies within the last 20 years. Raises 22023 (time), PT404 (no such '
    'trail).';
