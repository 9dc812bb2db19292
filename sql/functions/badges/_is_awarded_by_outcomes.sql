create or replace function pgtrail._is_awarded_by_outcomes(awarded uuid[], evaluated jsonb, outcomes jsonb)
    returns boolean
    language plpgsql immutable strict parallel safe
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_badge uuid;
begin
    if cardinality(_is_awarded_by_outcomes.awarded) > (
        select count(distinct badge.id) from unnest(_is_awarded_by_outcomes.awarded) as badge (id)
    ) then
        return false;
    end if;
    foreach v_badge in array _is_awarded_by_outcomes.awarded loop
        if v_badge is null
            or not _is_awarded_by_outcomes.evaluated ? v_badge::text
            or (_is_awarded_by_outcomes.outcomes -> v_badge::text) is distinct from 'true'::jsonb
        then
            return false;
        end if;
    end loop;
    return true;
end;
$$;

revoke all on function pgtrail._is_awarded_by_outcomes(uuid[], jsonb, jsonb)
    from public, anon, authenticated, pgtrail_auditor;
grant execute on function pgtrail._is_awarded_by_outcomes(uuid[], jsonb, jsonb) to service_role;
comment on function pgtrail._is_awarded_by_outcomes(uuid[], jsonb, jsonb) is
    'Tells whether every awarded badge was evaluated, its outcome is true, and none is named twice.';
