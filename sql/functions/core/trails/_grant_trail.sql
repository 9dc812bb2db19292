create or replace function pgtrail._grant_trail(relation regclass)
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
begin
    execute format('grant select, update, delete on %s to pgtrail_purger', _grant_trail.relation);
    execute format('grant select on %s to authenticated, service_role, pgtrail_auditor', _grant_trail.relation);
    execute format(
        'grant insert (%s) on %s to service_role',
        (
            select string_agg(quote_ident(attribute.attname), ', ' order by attribute.attnum)
            from pg_catalog.pg_attribute as attribute
            where attribute.attrelid = _grant_trail.relation
                and attribute.attnum > 0
                and not attribute.attisdropped
                and attribute.attgenerated = ''
                and attribute.attname <> all (pgtrail._server_columns())
        ),
        _grant_trail.relation);
end;
$$;

revoke all on function pgtrail._grant_trail from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._grant_trail is
    'Grants what each role may do with a trail: readers SELECT, service_role INSERT of the columns that are not the '
    'database''s to set, the purger what a purge or an erasure takes.';
