create or replace function pgtrail._is_held(trail_name text, organisation_id uuid, at timestamptz)
    returns boolean
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
begin
    return exists (
        select from pgtrail.legal_hold as hold
        where hold.released_at is null
            and (hold.organisation_id is null or hold.organisation_id = _is_held.organisation_id)
            and (hold.trail_name is null or hold.trail_name = _is_held.trail_name)
            and (hold.from_at is null or hold.from_at <= _is_held.at)
            and (hold.to_at is null or hold.to_at > _is_held.at)
    );
end;
$$;

revoke all on function pgtrail._is_held from public, anon, authenticated, service_role;
grant execute on function pgtrail._is_held to pgtrail_auditor;
comment on function pgtrail._is_held is 'Tells whether a legal hold covers an event of an organisation in a trail.';
