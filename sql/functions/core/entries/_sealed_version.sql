create or replace function pgtrail._sealed_version(first_leaf bigint, trail_name text)
    returns smallint
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
begin
    return (
        select min(content.version)
        from pgtrail.batch_content as content
        where content.log_id = 1
            and content.first_leaf = _sealed_version.first_leaf
            and content.trail_name = _sealed_version.trail_name
    );
end;
$$;

revoke all on function pgtrail._sealed_version from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._sealed_version is
    'Returns the version of the entry format in which a batch has the entries of a trail; null when it has none.';
