create or replace function pgtrail._entries_query(
    trail_name      text,
    columns         text,
    from_trail_name text,
    from_entry_id   uuid,
    to_trail_name   text,
    to_entry_id     uuid,
    first_id        uuid default '00000000-0000-0000-0000-000000000000',
    last_id         uuid default 'ffffffff-ffff-ffff-ffff-ffffffffffff'
)
    returns text
    language plpgsql
    stable
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
    select
        case
            when _entries_query.trail_name collate "C" > _entries_query.from_trail_name then bound.least_id
            when _entries_query.trail_name = _entries_query.from_trail_name then _entries_query.from_entry_id
            else bound.greatest_id
        end,
        case
            when _entries_query.trail_name collate "C" < _entries_query.to_trail_name then bound.greatest_id
            when _entries_query.trail_name = _entries_query.to_trail_name then _entries_query.to_entry_id
            else bound.least_id
        end
    into v_from_id, v_to_id
    from (values (
        '00000000-0000-0000-0000-000000000000'::uuid,
        'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid
    )) as bound (least_id, greatest_id);

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

revoke all on function pgtrail._entries_query(text, text, text, uuid, text, uuid, uuid, uuid)
    from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._entries_query(text, text, text, uuid, text, uuid, uuid, uuid) is
    'Returns the query of the columns (of "row") of a trail''s entries that are in the log, or would be, behind the '
    'position from and up to the position to, in the order of the log. Parameters: $1 era, $2 and $3 the '
    'transactions of the positions, $4 how many at most. Only ids from first_id to last_id are looked at.';
