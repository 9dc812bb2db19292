-- Definer: partitions belong to pgtrail_owner whoever calls.
-- CREATE, then ATTACH: this order takes SHARE UPDATE EXCLUSIVE on the trail, so that writers and readers
-- go on; CREATE TABLE ... PARTITION OF would lock them out. LIKE copies neither row level security nor
-- statement triggers, which is why the guard is put on each partition before it is attached.
create or replace function pgtrail.ensure_partitions(trail regclass, from_at timestamptz, to_at timestamptz)
    returns int
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_trail text;
    v_month timestamp;
    v_partition text;
    v_created int := 0;
begin
    -- The lock makes concurrent callers wait for one another. No key is updated: the sealer, whose foreign keys look
    -- here, does not wait.
    select registered.trail_name into v_trail
    from pgtrail.trail as registered
    where registered.relation = ensure_partitions.trail
    for no key update;

    if v_trail is null then
        raise exception '% is not a trail', coalesce(ensure_partitions.trail::text, 'null')
            using errcode = 'invalid_parameter_value',
                  hint = 'Register it with pgtrail.create_trail, or name a trail of pgtrail.trail.';
    end if;

    if not (isfinite(ensure_partitions.from_at) and isfinite(ensure_partitions.to_at)
            and ensure_partitions.from_at >= timestamptz '1970-01-01 00:00:00+00'
            and ensure_partitions.from_at <= ensure_partitions.to_at) is true then
        raise exception 'from_at and to_at must be a period that begins after 1969'
            using errcode = 'invalid_parameter_value',
                  detail = format('got %s to %s', coalesce(ensure_partitions.from_at::text, 'null'),
                                  coalesce(ensure_partitions.to_at::text, 'null')),
                  hint = 'Both ends are required, and from_at must not be after to_at.';
    end if;

    for v_month in
        select generate_series(
            date_trunc('month', ensure_partitions.from_at at time zone 'UTC'),
            date_trunc('month', ensure_partitions.to_at at time zone 'UTC'),
            interval '1 month')
    loop
        v_partition := format('pgtrail_partitions.%I', v_trail || to_char(v_month, '_YYYY_MM'));
        continue when exists (
            select from pg_catalog.pg_inherits
            where inhparent = ensure_partitions.trail and inhrelid = to_regclass(v_partition)
        );

        execute format(
            'create table %s (like %s including all excluding indexes)',
            v_partition, ensure_partitions.trail);
        perform pgtrail._attach_guards(v_partition::regclass);
        execute format('create policy deny_everyone on %s using (false)', v_partition);
        execute format(
            'alter table %s attach partition %s for values from (%L) to (%L)',
            ensure_partitions.trail,
            v_partition,
            pgtrail.uuid7_floor(v_month at time zone 'UTC'),
            pgtrail.uuid7_floor((v_month + interval '1 month') at time zone 'UTC'));
        v_created := v_created + 1;
    end loop;

    return v_created;
end;
$$;

revoke all on function pgtrail.ensure_partitions from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail.ensure_partitions is
    'Creates the missing monthly partitions (UTC) of a trail for the period from from_at to to_at, both included, '
    'and returns how many it created. Raises 22023 for a table that is no trail and for an empty period.';
