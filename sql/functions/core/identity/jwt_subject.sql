-- It reads request.jwt.claims itself, so that it works with and without Supabase's auth schema.
-- After a transaction a custom setting reads as '', not as null; both mean "nobody".
create or replace function pgtrail.jwt_subject()
    returns text
    language plpgsql stable parallel safe
    set search_path = pg_catalog, pg_temp
as $$
begin
    return nullif(nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub', '');
exception
    -- Claims that are no JSON identify nobody.
    when data_exception then
        return null;
end;
$$;

revoke all on function pgtrail.jwt_subject from public, anon;
grant execute on function pgtrail.jwt_subject to authenticated, service_role, pgtrail_auditor;
comment on function pgtrail.jwt_subject is
    'Returns the verified subject (sub) of the request as PostgREST passed it on, or null. '
    'Text, because subjects of third-party identity providers are not always UUIDs.';
