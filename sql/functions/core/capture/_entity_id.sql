create or replace function pgtrail._entity_id(key text)
    returns text
    language plpgsql immutable parallel safe
    set search_path = pg_catalog, pg_temp
as $$
begin
    return case
        when char_length(_entity_id.key) > 500
            then 'sha256:' || encode(sha256(convert_to(_entity_id.key, 'UTF8')), 'hex')
        else _entity_id.key
    end;
end;
$$;

revoke all on function pgtrail._entity_id from public, anon, authenticated, service_role, pgtrail_auditor;
grant execute on function pgtrail._entity_id to service_role, pgtrail_auditor;
comment on function pgtrail._entity_id is
    'Returns the entity_id of a primary key: the key, or, of more than 500 characters, sha256: and the hash of its '
    'UTF-8 text in hex.';
