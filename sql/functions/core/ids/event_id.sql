-- Definer: writers may not look at pgtrail_partitions.
create or replace function pgtrail.event_id(trail regclass, id uuid, at timestamptz)
    returns uuid
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_id uuid := event_id.id;
    v_at timestamptz;
begin
    if v_id is null then
        v_id := pgtrail.uuid7(coalesce(event_id.at, clock_timestamp()));
        -- The common case, an event of this moment, needs no further look.
        if event_id.at is null then
            return v_id;
        end if;
    elsif get_byte(uuid_send(v_id), 6) >> 4 <> 7 then
        raise exception 'the id of an entry must be a UUIDv7'
            using errcode = 'invalid_parameter_value',
                  detail = format('got %s', v_id),
                  hint = 'Make the id with pgtrail.uuid7(<time of the event>) or with a UUIDv7 library, or send none.';
    end if;

    v_at := pgtrail.uuid7_time(v_id);

    if event_id.at is not null and v_at <> date_trunc('milliseconds', event_id.at) then
        raise exception 'the id and the time of the event contradict each other'
            using errcode = 'invalid_parameter_value',
                  detail = format('the id says %s, the time says %s', v_at, event_id.at),
                  hint = 'The time inside the id is the time of the event: send only one of the two.';
    end if;

    if v_at > clock_timestamp() + interval '5 minutes' then
        raise exception 'the event lies in the future'
            using errcode = 'check_violation',
                  detail = format('its time is %s, the database clock says %s', v_at, clock_timestamp()),
                  hint = 'An event may be at most 5 minutes ahead. Check the clock of the sender.';
    end if;

    if not exists (
        select
        from pg_catalog.pg_inherits as inheritance
        join pg_catalog.pg_class as partition on partition.oid = inheritance.inhrelid
        join pg_catalog.pg_class as parent on parent.oid = inheritance.inhparent
        where inheritance.inhparent = event_id.trail
            and partition.relname = parent.relname || to_char(v_at at time zone 'UTC', '_YYYY_MM')
    ) then
        raise exception '% keeps no entries of %', event_id.trail, to_char(v_at at time zone 'UTC', 'YYYY-MM')
            using errcode = 'check_violation',
                  hint = 'Before older events, call prepare_audit_backfill(<trail>, <oldest time>).';
    end if;

    return v_id;
end;
$$;

revoke all on function pgtrail.event_id from public, anon, authenticated, pgtrail_auditor;
grant execute on function pgtrail.event_id to service_role;
comment on function pgtrail.event_id is
    'Returns the id under which an event is recorded: the given UUIDv7, or a new one of the given time, or of now. '
    'Raises 22023 when the id is no UUIDv7 or contradicts the time, 23514 when the event lies more than 5 minutes '
    'ahead or in a month for which the trail has no partition.';
