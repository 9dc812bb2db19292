create or replace function pgtrail._shortened_value(value text)
    returns jsonb
    language plpgsql immutable strict parallel safe
    set search_path = pg_catalog, pg_temp
as $$
begin
    return jsonb_build_object(
        'cut', left(_shortened_value.value, 100),
        'bytes', octet_length(_shortened_value.value),
        'sha256', encode(sha256(convert_to(_shortened_value.value, 'UTF8')), 'hex'));
end;
$$;

revoke all on function pgtrail._shortened_value from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._shortened_value is
    'Returns what is captured of a value that is too long: {"cut": its first 100 characters, "bytes", "sha256": of its '
    'UTF-8 text, in hex}.';
