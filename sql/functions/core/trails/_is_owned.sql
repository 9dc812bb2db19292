create or replace function pgtrail._is_owned(name text)
    returns boolean
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
begin
    return exists (
        select
        from pg_catalog.pg_class as class
        where class.oid = to_regclass(_is_owned.name) and class.relowner = 'pgtrail_owner'::regrole
    );
end;
$$;

revoke all on function pgtrail._is_owned from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._is_owned is
    'Tells whether there is a table of that name and pgtrail made it: one that a database had before keeps its owner.';
