create or replace function pgtrail._unsealable_entry_health()
    returns table (check_name text, status text, detail text)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set jit = off
as $$
declare
    v_found bigint := (select count(*) from pgtrail.unsealable_entry);
begin
    check_name := 'unsealable entries';
    status := case when v_found > 0 then 'warning' else 'ok' end;
    detail := format('%s set aside in pgtrail.unsealable_entry', v_found);
    return next;
end;
$$;

revoke all on function pgtrail._unsealable_entry_health from public, anon, authenticated, service_role;
grant execute on function pgtrail._unsealable_entry_health to pgtrail_auditor;
comment on function pgtrail._unsealable_entry_health is
    'Counts the entries that were set aside because they cannot be encoded.';
