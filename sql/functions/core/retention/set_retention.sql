create or replace function pgtrail.set_retention(
    trail           regclass,
    keep            interval,
    organisation_id uuid default null,
    legal_basis     text default null
)
    returns void
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_trail_name text := pgtrail.trail_name(set_retention.trail);
    v_keep_at_least interval := (select setting.keep_at_least from pgtrail.retention_setting as setting);
    v_now timestamptz := now();
begin
    -- Points in time are compared, since an interval of months has no length of its own.
    if v_now - set_retention.keep > v_now - v_keep_at_least or set_retention.keep <= interval '0' then
        raise exception 'entries must be kept for at least %', v_keep_at_least
            using errcode = 'invalid_parameter_value',
                  detail = format('got %s', set_retention.keep),
                  hint = 'Null keeps them for ever. The owner may lower the limit: pgtrail.set_retention_floor().';
    end if;

    insert into pgtrail.retention_policy as policy (trail_name, organisation_id, keep, legal_basis)
    values (v_trail_name, set_retention.organisation_id, set_retention.keep, set_retention.legal_basis)
    on conflict on constraint a_trail_has_one_policy_for_an_organisation do update
    set keep = excluded.keep,
        legal_basis = excluded.legal_basis,
        set_at = clock_timestamp(),
        set_by = session_user;

    perform pgtrail._record_act('retention.set', set_retention.organisation_id, jsonb_build_object(
        'trail', v_trail_name, 'keep', set_retention.keep, 'legal_basis', set_retention.legal_basis));
end;
$$;

revoke all on function pgtrail.set_retention from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail.set_retention is
    'Sets how long a trail keeps its entries, for one organisation or for all that have no policy of their own; null '
    'is for ever. legal_basis says why. Audited. Raises 22023 when the trail is none, or keep is below the floor.';
