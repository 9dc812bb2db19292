create or replace function pgtrail.verify_rollups(trail regclass default null)
    returns table (
        trail_name      text,
        organisation_id uuid,
        unit            text,
        starts_at       timestamptz,
        bucket          text,
        stored          bigint,
        counted         bigint
    )
    language plpgsql stable security definer
    set search_path = pg_catalog, pg_temp
    set timezone = 'UTC' set jit = off
as $$
declare
    v_only text := case when verify_rollups.trail is not null then pgtrail.trail_name(verify_rollups.trail) end;
    v_month timestamptz;
begin
    for trail_name, v_month in
        select registered.trail_name, month.month
        from pgtrail.trail as registered
        cross join lateral (
            select found.month from pgtrail._months_with_entries(registered.trail_name) as found (month)
            union
            select rollup.starts_at
            from pgtrail.rollup as rollup
            where rollup.trail_name = registered.trail_name and rollup.unit = 'month'
            union
            select date_trunc('month', rollup.starts_at)
            from pgtrail.rollup as rollup
            where rollup.trail_name = registered.trail_name and rollup.unit = 'hour'
        ) as month
        where v_only is null or registered.trail_name = v_only
        order by registered.trail_name, month.month
    loop
        for organisation_id, unit, starts_at, bucket, stored, counted in
            with part as materialized (
                select recorded.*
                from unnest(pgtrail._hour_counts(trail_name, array_to_string(array[
                    'not (', pgtrail._unsealed_condition(trail_name), ')',
                    format('and entry.id >= %L', pgtrail.uuid7_floor(v_month)),
                    format('and entry.id < %L', pgtrail.uuid7_floor(v_month + interval '1 month'))
                ], ' '))) as recorded
            ),
            fresh as (
                select part.organisation_id, part.unit, part.starts_at, part.bucket, part.entries, part.last_at
                from part
                union all
                select part.organisation_id, 'month', v_month, part.bucket, sum(part.entries)::bigint, max(part.last_at)
                from part
                group by part.organisation_id, part.bucket
            ),
            kept as (
                select rollup.*
                from pgtrail.rollup as rollup
                where rollup.trail_name = verify_rollups.trail_name
                    and rollup.starts_at >= v_month
                    and rollup.starts_at < v_month + interval '1 month'
            )
            select coalesce(kept.organisation_id, fresh.organisation_id), coalesce(kept.unit, fresh.unit),
                coalesce(kept.starts_at, fresh.starts_at), coalesce(kept.bucket, fresh.bucket), kept.entries,
                fresh.entries
            from kept
            full join fresh
                on fresh.organisation_id = kept.organisation_id
                and fresh.unit = kept.unit
                and fresh.starts_at = kept.starts_at
                and fresh.bucket = kept.bucket
            where (kept.entries, kept.last_at) is distinct from (fresh.entries, fresh.last_at)
        loop
            return next;
        end loop;
    end loop;
end;
$$;

revoke all on function pgtrail.verify_rollups from public, anon, authenticated, service_role;
grant execute on function pgtrail.verify_rollups to pgtrail_auditor;
comment on function pgtrail.verify_rollups is
    'Counts the sealed entries of a trail, by default of all, again and returns each count of pgtrail.rollup that '
    'differs, in number or in the time of its newest event; no row when summaries are exact. Reads every entry. '
    'Raises 22023 (no trail).';
