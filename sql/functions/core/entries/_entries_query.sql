create or replace function pgtrail._entries_query(
    trail_name text,
    columns    text,
    behind     pgtrail.log_position,
    up_to      pgtrail.log_position,
    first_id   uuid default pgtrail._least_id(),
    last_id    uuid default pgtrail._greatest_id()
)
    returns text
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_relation regclass;
    v_from_id uuid;
    v_to_id uuid;
    v_exceptions text := '';
begin
    select registered.relation into strict v_relation
    from pgtrail.trail as registered
    where registered.trail_name = _entries_query.trail_name;

    -- Within the transaction of a position, trails come one after the other.
    v_from_id := case
        when _entries_query.trail_name collate "C" > (_entries_query.behind).trail_name then pgtrail._least_id()
        when _entries_query.trail_name = (_entries_query.behind).trail_name then (_entries_query.behind).entry_id
        else pgtrail._greatest_id()
    end;
    v_to_id := case
        when _entries_query.trail_name collate "C" < (_entries_query.up_to).trail_name then pgtrail._greatest_id()
        when _entries_query.trail_name = (_entries_query.up_to).trail_name then (_entries_query.up_to).entry_id
        else pgtrail._least_id()
    end;

    -- Hardly any trail has exceptions, and to look for those of each entry costs a tenth of sealing it.
    if exists (select from pgtrail.unsealable_entry as listed where listed.trail_name = _entries_query.trail_name) then
        v_exceptions := format(
            'and not exists (select from pgtrail.unsealable_entry as listed '
            'where listed.trail_name = %L and listed.entry_id = row.id) ',
            _entries_query.trail_name);
    end if;
    if exists (select from pgtrail.late_entry as listed where listed.trail_name = _entries_query.trail_name) then
        v_exceptions := v_exceptions || format(
            'and not exists (select from pgtrail.late_entry as listed '
            'where listed.trail_name = %L and listed.entry_id = row.id)',
            _entries_query.trail_name);
    end if;

    return format(
        $query$
        select %1$s
        from %2$s as row
        where row.era = $1
            and (row.tx_id, row.id) > ($2, %3$L::uuid)
            and (row.tx_id, row.id) <= ($3, %4$L::uuid)
            and row.id between %5$L::uuid and %6$L::uuid
            %7$s
        order by row.tx_id, row.id
        limit $4
        $query$,
        _entries_query.columns, v_relation, v_from_id, v_to_id, _entries_query.first_id, _entries_query.last_id,
        v_exceptions);
end;
$$;

revoke all on function pgtrail._entries_query from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._entries_query is
    'Returns the query of the columns (of "row") of a trail''s entries that are in the log, or would be, behind one '
    'position and up to another, in the order of the log. Parameters: $1 era, $2 and $3 the '
    'transactions of the positions, $4 how many at most. Only ids from first_id to last_id are looked at.';
