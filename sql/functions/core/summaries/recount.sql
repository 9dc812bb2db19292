create or replace function pgtrail.recount(
    trail           regclass,
    from_at         timestamptz default null,
    to_at           timestamptz default null,
    organisation_id uuid default null
)
    returns void
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
    set timezone = 'UTC'
as $$
declare
    v_trail_name text := pgtrail.trail_name(recount.trail);
    v_from timestamptz := date_trunc('month', recount.from_at);
    v_to timestamptz := date_trunc('month', recount.to_at);
    v_month timestamptz;
    v_organisation text;
begin
    if v_to < recount.to_at then
        v_to := v_to + interval '1 month';
    end if;

    -- The lock of the sealer: nothing is counted meanwhile.
    perform from pgtrail.log as head where head.log_id = 1 for update;

    delete from pgtrail.rollup as rollup
    where rollup.trail_name = v_trail_name
        and (recount.organisation_id is null or rollup.organisation_id = recount.organisation_id)
        and (v_from is null or rollup.starts_at >= v_from)
        and (v_to is null or rollup.starts_at < v_to);

    if recount.organisation_id is not null then
        v_organisation := 'and ' || pgtrail._organisation_condition(v_trail_name, recount.organisation_id);
    end if;
    -- It goes month by month, so that the counts fit into memory however long the history is.
    for v_month in
        select found.month from pgtrail._months_with_entries(v_trail_name, v_from, v_to) as found (month)
    loop
        perform pgtrail._add_counts(pgtrail._hour_counts(v_trail_name, array_to_string(array[
            'not (', pgtrail._unsealed_condition(v_trail_name), ')',
            format('and entry.id >= %L', pgtrail.uuid7_floor(v_month)),
            format('and entry.id < %L', pgtrail.uuid7_floor(v_month + interval '1 month')),
            v_organisation
        ], ' ')));
    end loop;
end;
$$;

revoke all on function pgtrail.recount from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail.recount is
    'Counts a trail''s sealed entries again, of the months that [from_at, to_at) touches, of all organisations or '
    'one: after entries were removed, or when verify_rollups() found a difference. Sealing waits meanwhile. Raises '
    '22023 (no trail).';
