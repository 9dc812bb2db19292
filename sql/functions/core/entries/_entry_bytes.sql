create or replace function pgtrail._entry_bytes(trail_name text, entry_id uuid, version smallint)
    returns bytea
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set timezone = 'UTC' set datestyle = 'ISO, MDY' set intervalstyle = 'iso_8601' set extra_float_digits = 1
    set bytea_output = 'hex'
as $$
declare
    v_entry bytea;
begin
    execute format(
        'select %s from %s as entry where entry.id = $1',
        pgtrail._entry_expression(_entry_bytes.trail_name, _entry_bytes.version),
        (
            select registered.relation
            from pgtrail.trail as registered
            where registered.trail_name = _entry_bytes.trail_name
        ))
    into v_entry
    using _entry_bytes.entry_id;
    return v_entry;
end;
$$;

revoke all on function pgtrail._entry_bytes from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._entry_bytes is
    'Returns the bytes of one entry as the log has them: what pgtrail._entry_expression says. Null when there is none.';
