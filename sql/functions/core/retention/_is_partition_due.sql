-- It is answered from what sealing has written down, without a look at the entries: no entry is recorded after it is
-- sealed.
create or replace function pgtrail._is_partition_due(
    trail_name text,
    partition  regclass,
    month      timestamptz,
    as_of      timestamptz
)
    returns boolean
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set timezone = 'UTC'
as $$
declare
    v_end timestamptz := _is_partition_due.month + interval '1 month';
    v_found boolean;
begin
    -- An organisation may keep something longer; for one that comes later, the policy of the trail counts.
    if exists (
        select
        from pgtrail.rollup as rollup
        where rollup.trail_name = _is_partition_due.trail_name
            and rollup.unit = 'month'
            and rollup.starts_at = _is_partition_due.month
            and (
                v_end <= _is_partition_due.as_of
                    - pgtrail._retention_period(_is_partition_due.trail_name, rollup.organisation_id)
                and (
                    select max(batch.sealed_at)
                    from pgtrail.batch_content as content
                    join pgtrail.batch as batch
                        on batch.log_id = content.log_id and batch.first_leaf = content.first_leaf
                    where content.trail_name = _is_partition_due.trail_name
                        and content.month = _is_partition_due.month::date
                ) < _is_partition_due.as_of
                    - pgtrail._retention_period(_is_partition_due.trail_name, rollup.organisation_id)
            ) is not true
    ) then
        return false;
    end if;

    if exists (
        select
        from pgtrail.legal_hold as hold
        where hold.released_at is null
            and (hold.trail_name is null or hold.trail_name = _is_partition_due.trail_name)
            and (hold.from_at is null or hold.from_at < v_end)
            and (hold.to_at is null or hold.to_at > _is_partition_due.month)
            and (hold.organisation_id is null or exists (
                select
                from pgtrail.rollup as rollup
                where rollup.trail_name = _is_partition_due.trail_name
                    and rollup.organisation_id = hold.organisation_id
                    and rollup.unit = 'month'
                    and rollup.starts_at = _is_partition_due.month))
    ) then
        return false;
    end if;

    -- An empty partition was prepared for a backfill, unless the trail's own policy says that nothing stays there.
    if not exists (
        select from pgtrail.rollup as rollup
        where rollup.trail_name = _is_partition_due.trail_name
            and rollup.unit = 'month'
            and rollup.starts_at = _is_partition_due.month
    ) and (
        v_end <= _is_partition_due.as_of - pgtrail._retention_period(_is_partition_due.trail_name, null)
    ) is not true then
        return false;
    end if;

    execute array_to_string(array[
        format('select exists (select from %s as entry where', _is_partition_due.partition),
        pgtrail._unsealed_condition(_is_partition_due.trail_name),
        format(') or exists (select from pgtrail.unsealable_entry as listed '
               'join %s as entry on entry.id = listed.entry_id', _is_partition_due.partition),
        format('where listed.trail_name = %L)', _is_partition_due.trail_name)
    ], ' ')
    into v_found;
    return not v_found;
end;
$$;

revoke all on function pgtrail._is_partition_due from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._is_partition_due is
    'Tells whether a month''s partition of a trail may be dropped as a whole: everything in it is past its policy, '
    'sealed and not held.';
