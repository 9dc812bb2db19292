-- 16 bytes of id and 8 bytes of digest: 32 characters of base64url without padding.
-- The digest is no secret and needs none: every page checks again what its caller may read.
create or replace function pgtrail.encode_cursor(id uuid, context text)
    returns text
    language plpgsql immutable strict parallel safe
    set search_path = pg_catalog, pg_temp
as $$
begin
    return translate(
        encode(
            uuid_send(encode_cursor.id)
            || substr(sha256(uuid_send(encode_cursor.id) || convert_to(encode_cursor.context, 'UTF8')), 1, 8),
            'base64'),
        '+/', '-_');
end;
$$;

revoke all on function pgtrail.encode_cursor from public, anon;
grant execute on function pgtrail.encode_cursor to authenticated, service_role, pgtrail_auditor;
comment on function pgtrail.encode_cursor is
    'Returns the opaque cursor of the page that follows the given entry. context names the function, the organisation '
    'and the filters that the cursor belongs to.';
