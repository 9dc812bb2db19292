-- Batches are small, so that the leaf of an entry is found by a search in few tiles.
create or replace function pgtrail._seal_batch(
    log_id      int,
    to_tx_id    xid8,
    max_entries int,
    of_trails   text[] default null
)
    returns int
    language plpgsql
    set search_path = pg_catalog, pg_temp
    set jit = off
as $$
declare
    v_log pgtrail.log;
    v_next record;
    v_ends_at pgtrail.log_position;
begin
    select head.* into strict v_log from pgtrail.log as head where head.log_id = _seal_batch.log_id;

    while v_next is null loop
        begin
            with entry as materialized (
                select entries.*, row_number() over () as place
                from pgtrail._encoded_entries(
                    v_log.era, pgtrail._head_position(v_log), pgtrail._position_before(_seal_batch.to_tx_id),
                    _seal_batch.max_entries, null, _seal_batch.of_trails) as entries
            ),
            counted as materialized (
                select entry.trail_name, entry.version, entry.organisation_id, entry.bucket,
                    date_bin('1 hour', entry.at, '2000-01-01Z') as hour,
                    count(*) as entries,
                    count(entry.leaf) as leaves,
                    max(entry.at) as last_at
                from entry
                group by entry.trail_name, entry.version, entry.organisation_id, entry.bucket, 5
            ),
            content as (
                select counted.trail_name, date_trunc('month', counted.hour at time zone 'UTC')::date as month,
                    counted.version, sum(counted.leaves) as entries
                from counted
                group by counted.trail_name, 2, counted.version
                having sum(counted.leaves) > 0
            )
            select
                (select count(*)::int from entry) as found,
                (
                    select (entry.tx_id, entry.trail_name, entry.entry_id)::pgtrail.log_position
                    from entry
                    where entry.place = (select count(*) from entry)
                ) as ends_at,
                (select array_agg(entry.leaf order by entry.place) from entry where entry.leaf is not null) as leaves,
                (select jsonb_agg(to_jsonb(content)) from content) as content,
                (
                    select array_agg((
                        counted.trail_name, counted.organisation_id, 'hour', counted.hour, counted.bucket,
                        counted.entries, counted.last_at)::pgtrail.rollup)
                    from counted
                ) as hours,
                (select jsonb_agg(to_jsonb(entry) - 'leaf') from entry where entry.leaf is null) as too_long
            into v_next;
        exception
            when data_exception or feature_not_supported or program_limit_exceeded
                or syntax_error_or_access_rule_violation
            then
                -- What cannot be encoded or counted must not hold up the rest. With nothing to blame, the error stands.
                if pgtrail._drop_failing_summaries(v_log.era, v_log.tx_id, _seal_batch.to_tx_id) = 0
                    and pgtrail._set_aside_entries(v_log.era, v_log.tx_id, _seal_batch.to_tx_id) = 0
                then
                    raise;
                end if;
        end;
    end loop;

    insert into pgtrail.unsealable_entry (trail_name, entry_id, sqlstate, reason)
    select long_entry.trail_name, long_entry.entry_id, '54000', 'the entry is longer than 65,535 bytes'
    from jsonb_to_recordset(v_next.too_long) as long_entry (trail_name text, entry_id uuid);

    -- When the limit was not reached, nothing is left up to the watermark.
    v_ends_at := case
        when v_next.found < _seal_batch.max_entries then pgtrail._position_before(_seal_batch.to_tx_id)
        else v_next.ends_at
    end;
    if cardinality(v_next.leaves) > 0 then
        perform pgtrail._append_batch(v_log, v_next.leaves, v_next.content, v_ends_at);
    end if;
    if v_next.found > 0 then
        perform pgtrail._add_counts(v_next.hours);
    end if;
    perform pgtrail._move_head(v_log.log_id, v_ends_at);

    return v_next.found;
end;
$$;

revoke all on function pgtrail._seal_batch from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._seal_batch is
    'Seals the next entries before to_tx_id as one batch and moves the position of the log behind them. Returns how '
    'many entries it took; less than max_entries when nothing is left.';
