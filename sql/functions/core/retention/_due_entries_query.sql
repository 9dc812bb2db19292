create or replace function pgtrail._due_entries_query(
    trail_name      text,
    organisation_id uuid,
    month           timestamptz,
    due_before      timestamptz
)
    returns text
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_trail pgtrail.trail;
begin
    select registered.* into strict v_trail
    from pgtrail.trail as registered
    where registered.trail_name = _due_entries_query.trail_name;

    return array_to_string(array[
        format('select entry.id, entry.era, entry.tx_id from %s as entry', v_trail.relation),
        'where ' || pgtrail._organisation_condition(_due_entries_query.trail_name, _due_entries_query.organisation_id),
        format('and entry.id >= %L', pgtrail.uuid7_floor(_due_entries_query.month)),
        format('and entry.id < %L', pgtrail.uuid7_floor(
            least(_due_entries_query.month + interval '1 month', _due_entries_query.due_before))),
        format('and entry.recorded_at < %L', _due_entries_query.due_before),
        'and not (' || pgtrail._unsealed_condition(_due_entries_query.trail_name) || ')',
        format('and not exists (select from pgtrail.unsealable_entry as listed '
               'where listed.trail_name = %L and listed.entry_id = entry.id)', _due_entries_query.trail_name),
        case when exists (select from pgtrail.legal_hold as hold where hold.released_at is null) then
            format('and not pgtrail._is_held(%L, %L, entry.%I)',
                   _due_entries_query.trail_name, _due_entries_query.organisation_id, v_trail.time_column) end
    ], ' ');
end;
$$;

revoke all on function pgtrail._due_entries_query from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._due_entries_query is
    'Returns the query of an organisation''s entries of a month that may be removed: older than due_before by event '
    'and by recording, sealed, and not held.';
