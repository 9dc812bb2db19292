-- An expression that was given for summaries must not hold up the log.
create or replace function pgtrail._drop_failing_summaries(
    era        smallint,
    from_tx_id xid8,
    to_tx_id   xid8
)
    returns int
    language plpgsql
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_trail pgtrail.trail;
    v_dropped int := 0;
begin
    for v_trail in
        select registered.* from pgtrail.trail as registered where registered.bucket is not null
    loop
        begin
            execute format(
                'select count((%s)::text) from %s as entry where entry.era = $1 and entry.tx_id between $2 and $3',
                v_trail.bucket, v_trail.relation)
            using _drop_failing_summaries.era, _drop_failing_summaries.from_tx_id, _drop_failing_summaries.to_tx_id;
        exception
            when data_exception or feature_not_supported or program_limit_exceeded
                or syntax_error_or_access_rule_violation
            then
                raise warning 'summaries of % count by nothing now', v_trail.trail_name
                    using errcode = '01000',
                          detail = format('SQLSTATE %s in: %s', sqlstate, v_trail.bucket),
                          hint = 'Call pgtrail.set_summary with an expression that holds for every entry.';
                perform pgtrail.set_summary(v_trail.relation, null);
                perform pgtrail._set_alert(
                    format('summaries of %s', v_trail.trail_name), 'warning',
                    jsonb_build_object('sqlstate', sqlstate, 'bucket', v_trail.bucket));
                v_dropped := v_dropped + 1;
        end;
    end loop;
    return v_dropped;
end;
$$;

revoke all on function pgtrail._drop_failing_summaries from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._drop_failing_summaries is
    'Tries the expression of each trail''s summaries on the entries of a range of transactions, sets those that fail '
    'back to null with a warning, and returns their number.';
