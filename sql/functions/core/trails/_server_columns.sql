create or replace function pgtrail._server_columns()
    returns name[]
    language plpgsql immutable parallel safe
    set search_path = pg_catalog, pg_temp
as $$
begin
    return '{recorded_at,era,tx_id,database_role,erasure_salt}'::name[];
end;
$$;

revoke all on function pgtrail._server_columns from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._server_columns is
    'Returns the columns of a trail that the database alone sets: no grant lets a writer send them.';
