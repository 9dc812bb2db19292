create or replace function pgtrail._unsealed_condition(trail_name text)
    returns text
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_log pgtrail.log;
    v_condition text;
    v_aside uuid[];
begin
    select head.* into strict v_log from pgtrail.log as head where head.log_id = 1;
    v_condition := format(
        'entry.era = %s and (entry.tx_id, entry.id) > (%L::xid8, %L::uuid)',
        v_log.era, v_log.tx_id,
        case
            when _unsealed_condition.trail_name collate "C" > v_log.trail_name then pgtrail._least_id()
            when _unsealed_condition.trail_name = v_log.trail_name then v_log.entry_id
            else pgtrail._greatest_id()
        end);
    -- They are values: the caller who runs the query may not read the table.
    select array_agg(listed.entry_id) into v_aside
    from pgtrail.unsealable_entry as listed
    where listed.trail_name = _unsealed_condition.trail_name;
    if v_aside is not null then
        v_condition := v_condition || format(' and entry.id <> all (%L::uuid[])', v_aside);
    end if;
    return v_condition;
end;
$$;

revoke all on function pgtrail._unsealed_condition from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._unsealed_condition is
    'Returns the condition, as SQL over the row "entry" of a trail, under which pgtrail.rollup does not have it yet.';
