create or replace function pgtrail.release_legal_hold(hold_id uuid, reason text)
    returns void
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_hold pgtrail.legal_hold;
begin
    if coalesce(release_legal_hold.reason, '') = '' then
        raise exception 'the release of a legal hold needs a reason'
            using errcode = 'invalid_parameter_value',
                  hint = 'Say who decided it, and why.';
    end if;

    update pgtrail.legal_hold as hold
    set released_at = clock_timestamp(),
        released_by = session_user,
        release_reason = release_legal_hold.reason
    where hold.hold_id = release_legal_hold.hold_id and hold.released_at is null
    returning hold.* into v_hold;
    if v_hold.hold_id is null then
        raise exception 'there is no such legal hold'
            using errcode = 'PT404',
                  detail = format('hold %s', coalesce(release_legal_hold.hold_id::text, 'null')),
                  hint = 'It may have been released already: see pgtrail.legal_hold.';
    end if;

    perform pgtrail._record_act('legal_hold.released', v_hold.organisation_id, jsonb_build_object(
        'hold_id', v_hold.hold_id, 'reason', release_legal_hold.reason));
end;
$$;

revoke all on function pgtrail.release_legal_hold from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail.release_legal_hold is
    'Ends a legal hold. Audited. Raises PT404 (no such hold, or released already), 22023 (no reason).';
