create or replace function pgtrail._is_retention_enabled()
    returns boolean
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
begin
    return exists (
        select
        from pgtrail.retention_setting as setting
        join pg_control_system() as control on control.system_identifier = setting.system_identifier
        join pg_catalog.pg_database as database on database.oid = setting.database_oid
        where database.datname = current_database()
    );
end;
$$;

revoke all on function pgtrail._is_retention_enabled from public, anon, authenticated, service_role;
grant execute on function pgtrail._is_retention_enabled to pgtrail_auditor;
comment on function pgtrail._is_retention_enabled is
    'Tells whether this is the database in which retention was enabled, not a copy of it.';
