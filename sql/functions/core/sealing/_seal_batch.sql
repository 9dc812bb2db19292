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
    v_found int;
    v_last jsonb;
    v_leaves bytea[];
    v_content jsonb;
    v_hours pgtrail.rollup[];
    v_too_long jsonb;
    v_encoded boolean := false;
begin
    select head.* into strict v_log from pgtrail.log as head where head.log_id = _seal_batch.log_id;

    while not v_encoded loop
        begin
            with entry as materialized (
                select entries.*, row_number() over () as place
                from pgtrail._encoded_entries(
                    v_log.era, v_log.tx_id, v_log.trail_name, v_log.entry_id,
                    _seal_batch.to_tx_id, '', '00000000-0000-0000-0000-000000000000',
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
                (select count(*)::int from entry),
                (
                    select to_jsonb(entry) - 'leaf'
                    from entry
                    where entry.place = (select count(*) from entry)
                ),
                (select array_agg(entry.leaf order by entry.place) from entry where entry.leaf is not null),
                (select jsonb_agg(to_jsonb(content)) from content),
                (
                    select array_agg((
                        counted.trail_name, counted.organisation_id, 'hour', counted.hour, counted.bucket,
                        counted.entries, counted.last_at)::pgtrail.rollup)
                    from counted
                ),
                (select jsonb_agg(to_jsonb(entry) - 'leaf') from entry where entry.leaf is null)
            into v_found, v_last, v_leaves, v_content, v_hours, v_too_long;
            v_encoded := true;
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
    from jsonb_to_recordset(v_too_long) as long_entry (trail_name text, entry_id uuid);

    -- When the limit was not reached, nothing is left up to the watermark.
    if v_found < _seal_batch.max_entries then
        v_last := jsonb_build_object(
            'tx_id', _seal_batch.to_tx_id, 'trail_name', '', 'entry_id', '00000000-0000-0000-0000-000000000000');
    end if;

    if cardinality(v_leaves) > 0 then
        perform pgtrail._append_batch(
            v_log, v_leaves, v_content,
            (v_last ->> 'tx_id')::xid8, v_last ->> 'trail_name', (v_last ->> 'entry_id')::uuid);
    end if;
    if v_found > 0 then
        perform pgtrail._add_counts(v_hours);
    end if;
    update pgtrail.log as head
    set tx_id = (v_last ->> 'tx_id')::xid8,
        trail_name = v_last ->> 'trail_name',
        entry_id = (v_last ->> 'entry_id')::uuid
    where head.log_id = v_log.log_id;

    return v_found;
end;
$$;

revoke all on function pgtrail._seal_batch(int, xid8, int, text[])
    from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._seal_batch(int, xid8, int, text[]) is
    'Seals the next entries before to_tx_id as one batch and moves the position of the log behind them. Returns how '
    'many entries it took; less than max_entries when nothing is left.';
