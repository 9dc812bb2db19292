create or replace function pgtrail.place_legal_hold(
    organisation_id uuid,
    reason          text,
    trail           regclass default null,
    from_at         timestamptz default null,
    to_at           timestamptz default null
)
    returns uuid
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_trail_name text := case when place_legal_hold.trail is not null
        then pgtrail.trail_name(place_legal_hold.trail) end;
    v_hold_id uuid;
begin
    if coalesce(place_legal_hold.reason, '') = '' then
        raise exception 'a legal hold needs a reason'
            using errcode = 'invalid_parameter_value',
                  hint = 'Name the case or the request.';
    elsif place_legal_hold.from_at >= place_legal_hold.to_at then
        raise exception 'the period of the hold is empty'
            using errcode = 'invalid_parameter_value',
                  detail = format('%s to %s', place_legal_hold.from_at, place_legal_hold.to_at),
                  hint = 'Events from from_at on and before to_at are held; null is open.';
    end if;

    -- A purge that is under way ends first.
    perform from pgtrail.log as head where head.log_id = 1 for update;
    insert into pgtrail.legal_hold (organisation_id, trail_name, from_at, to_at, reason)
    values (
        place_legal_hold.organisation_id, v_trail_name, place_legal_hold.from_at, place_legal_hold.to_at,
        place_legal_hold.reason)
    returning legal_hold.hold_id into v_hold_id;

    perform pgtrail._record_act('legal_hold.placed', place_legal_hold.organisation_id, jsonb_build_object(
        'hold_id', v_hold_id, 'trail', v_trail_name, 'from_at', place_legal_hold.from_at,
        'to_at', place_legal_hold.to_at, 'reason', place_legal_hold.reason));
    return v_hold_id;
end;
$$;

revoke all on function pgtrail.place_legal_hold from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail.place_legal_hold is
    'Holds entries, so that no policy removes and nobody erases them until the hold is released: of an organisation '
    'or all (null), of a trail or all, of events from from_at on and before to_at. Returns the hold. Audited. Raises '
    '22023 (no trail, no reason, empty period).';
