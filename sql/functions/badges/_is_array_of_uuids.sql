create or replace function pgtrail._is_array_of_uuids(badges jsonb)
    returns boolean
    language plpgsql immutable strict parallel safe
    set search_path = pg_catalog, pg_temp
as $$
begin
    -- A document has one text, and one regular expression costs a fraction of a JSON path over its elements.
    return _is_array_of_uuids.badges::text
        ~ '^\[("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"(, (?=")|(?=\])))*\]$';
end;
$$;

revoke all on function pgtrail._is_array_of_uuids(jsonb) from public, anon, authenticated, pgtrail_auditor;
grant execute on function pgtrail._is_array_of_uuids(jsonb) to service_role;
comment on function pgtrail._is_array_of_uuids(jsonb) is
    'Tells whether a JSON document is an array of UUIDs as Postgres writes them: lower case, with hyphens.';
