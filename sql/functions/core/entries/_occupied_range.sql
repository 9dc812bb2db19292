-- This is asked before _encoded_entries(), because it is cheap: a query that encodes entries costs its planning over
-- every partition that it may have to read, and most of the time all is in one.
create or replace function pgtrail._occupied_range(
    era          smallint,
    behind       pgtrail.log_position,
    up_to        pgtrail.log_position,
    max_entries  int,
    of_trails    text[],
    out trails   text[],
    out first_id uuid,
    out last_id  uuid
)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set jit = off set enable_sort = off set enable_bitmapscan = off set enable_seqscan = off
as $$
declare
    v_trail_name text;
    v_parts text[] := '{}'::text[];
begin
    foreach v_trail_name in array _occupied_range.of_trails loop
        v_parts := v_parts || format(
            'select %L as trail_name, min(id::text collate "C") as first_id, max(id::text collate "C") as last_id '
            'from (%s) as entry having count(*) > 0',
            v_trail_name,
            pgtrail._entries_query(v_trail_name, 'row.id', _occupied_range.behind, _occupied_range.up_to));
    end loop;
    if v_parts = '{}'::text[] then
        trails := '{}'::text[];
        return;
    end if;

    -- Ids are compared as text, since min(uuid) is new in Postgres 18.
    execute format(
        'select coalesce(array_agg(trail_name), ''{}''::text[]), min(first_id)::uuid, max(last_id)::uuid '
        'from (%s) as part',
        array_to_string(v_parts, ' union all '))
    into trails, first_id, last_id
    using _occupied_range.era, (_occupied_range.behind).tx_id, (_occupied_range.up_to).tx_id,
        _occupied_range.max_entries;
end;
$$;

revoke all on function pgtrail._occupied_range from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._occupied_range is
    'Returns the trails of of_trails that have entries behind one position and up to another, and the '
    'least and the greatest of the ids of the first max_entries of each.';
