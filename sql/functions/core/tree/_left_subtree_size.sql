create or replace function pgtrail._left_subtree_size(size bigint)
    returns bigint
    language plpgsql immutable strict parallel safe
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_power bigint := 1::bigint;
begin
    while v_power << 1 < _left_subtree_size.size loop
        v_power := v_power << 1;
    end loop;
    return v_power;
end;
$$;

revoke all on function pgtrail._left_subtree_size from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._left_subtree_size is
    'Returns the largest power of two below size: where RFC 6962 splits a tree of that many leaves (2 or more).';
