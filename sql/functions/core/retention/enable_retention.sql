create or replace function pgtrail.enable_retention()
    returns void
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    update pgtrail.retention_setting as setting
    set system_identifier = control.system_identifier,
        database_oid = database.oid
    from pg_control_system() as control
    join pg_catalog.pg_database as database on database.datname = current_database();
    perform pgtrail._record_act('retention.enabled', null, '{}');
end;
$$;

revoke all on function pgtrail.enable_retention from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail.enable_retention is
    'Lets retention run in this database: after it was restored or copied from another, where nothing is removed until '
    'then. Audited.';
