-- The cheapest question to plan, and to answer: most trails have nothing there most of the time.
create or replace function pgtrail._trails_between(from_tx_id xid8, to_tx_id xid8)
    returns text[]
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set jit = off set enable_seqscan = off set enable_bitmapscan = off
as $$
declare
    v_trail record;
    v_found boolean;
    v_trails text[] := '{}'::text[];
begin
    for v_trail in select registered.trail_name, registered.relation from pgtrail.trail as registered loop
        execute format('select exists (select from %s where tx_id between $1 and $2)', v_trail.relation)
        into v_found
        using _trails_between.from_tx_id, _trails_between.to_tx_id;
        if v_found then
            v_trails := v_trails || v_trail.trail_name;
        end if;
    end loop;
    return v_trails;
end;
$$;

revoke all on function pgtrail._trails_between from public, anon, authenticated, service_role;
grant execute on function pgtrail._trails_between to pgtrail_auditor;
comment on function pgtrail._trails_between is
    'Returns the trails that have entries of the transactions from from_tx_id to to_tx_id, both included.';
