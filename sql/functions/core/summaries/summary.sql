-- Whole months come from the counts of months, the hours around them from those of hours, and what is left from the
-- trail itself, all in one snapshot.
create or replace function pgtrail.summary(
    trail_name      text,
    organisation_id uuid,
    from_at         timestamptz default null,
    to_at           timestamptz default null
)
    returns table (bucket text, entries bigint, last_at timestamptz)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set timezone = 'UTC' set jit = off set enable_seqscan = off set enable_bitmapscan = off
as $$
declare
    v_from timestamptz := coalesce(summary.from_at, '-infinity');
    v_to timestamptz := coalesce(summary.to_at, 'infinity');
    v_from_hour timestamptz;
    v_to_hour timestamptz;
    v_from_month timestamptz;
    v_to_month timestamptz;
    v_uncounted text;
begin
    if summary.organisation_id is null then
        raise exception 'the organisation is required'
            using errcode = 'invalid_parameter_value',
                  hint = 'Name the organisation whose entries you want to count.';
    end if;
    perform pgtrail.require_reader(summary.organisation_id);

    v_from_hour := case when isfinite(v_from) then date_bin('1 hour', v_from, '2000-01-01Z') else v_from end;
    v_from_hour := case when v_from_hour < v_from then v_from_hour + interval '1 hour' else v_from_hour end;
    v_to_hour := case when isfinite(v_to) then date_bin('1 hour', v_to, '2000-01-01Z') else v_to end;
    if v_from_hour > v_to_hour then
        v_from_hour := v_to;
        v_to_hour := v_to;
    end if;
    v_from_month := case when isfinite(v_from_hour) then date_trunc('month', v_from_hour) else v_from_hour end;
    v_from_month := case when v_from_month < v_from_hour then v_from_month + interval '1 month' else v_from_month end;
    v_to_month := case when isfinite(v_to_hour) then date_trunc('month', v_to_hour) else v_to_hour end;
    if v_from_month > v_to_month then
        v_from_month := v_to_hour;
        v_to_month := v_to_hour;
    end if;

    v_uncounted := pgtrail._uncounted_query(
        summary.trail_name, summary.organisation_id, v_from, v_to, v_from_hour, v_to_hour);

    return query execute array_to_string(array[
        $query$
        select bucket, sum(entries)::bigint, max(last_at)
        from (
            select bucket, entries, last_at
            from pgtrail.rollup
            where trail_name = $1 and organisation_id = $2
                and unit = 'month' and starts_at >= $5 and starts_at < $6
            union all
            select bucket, entries, last_at
            from pgtrail.rollup
            where trail_name = $1 and organisation_id = $2
                and unit = 'hour' and starts_at >= $3 and starts_at < $5
            union all
            select bucket, entries, last_at
            from pgtrail.rollup
            where trail_name = $1 and organisation_id = $2
                and unit = 'hour' and starts_at >= $6 and starts_at < $4
        $query$,
        case when v_uncounted <> '' then
            'union all select bucket, count(*), max(at) from (' || v_uncounted || ') as uncounted group by bucket' end,
        ') as part group by bucket order by bucket'
    ], ' ')
    using summary.trail_name, summary.organisation_id, v_from_hour, v_to_hour, v_from_month, v_to_month;
end;
$$;

revoke all on function pgtrail.summary from public, anon;
grant execute on function pgtrail.summary to authenticated, service_role, pgtrail_auditor;
comment on function pgtrail.summary is
    'Counts an organisation''s entries of a trail whose event lies in [from_at, to_at), null is open, by the bucket '
    'of the trail: exact, sealed or not, and without reading the history. last_at is the time of the newest event. '
    'Reads as the caller. Raises 22023 (organisation missing), 42501 (organisation the caller may not read), PT404 '
    '(no such trail).';
