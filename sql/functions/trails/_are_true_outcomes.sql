create or replace function pgtrail._are_true_outcomes(awarded uuid[], evaluated jsonb, outcomes jsonb)
    returns boolean
    language plpgsql
    immutable
    strict
    parallel safe
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_badge uuid;
begin
    if cardinality(_are_true_outcomes.awarded) > (
        select count(distinct badge.id) from unnest(_are_true_outcomes.awarded) as badge (id)
    ) then
        return false;
    end if;
    foreach v_badge in array _are_true_outcomes.awarded loop
        if v_badge is null
            or not _are_true_outcomes.evaluated ? v_badge::text
            or (_are_true_outcomes.outcomes -> v_badge::text) is distinct from 'true'::jsonb
        then
            return false;
        end if;
    end loop;
    return true;
end;
$$;

revoke all on function pgtrail._are_true_outcomes(uuid[], jsonb, jsonb)
    from public, anon, authenticated, pgtrail_auditor;
grant execute on function pgtrail._are_true_outcomes(uuid[], jsonb, jsonb) to service_role;
comment on function pgtrail._are_true_outcomes(uuid[], jsonb, jsonb) is
    'Tells whether every awarded badge was evaluated, its outcome is true, and none is named twice.';
