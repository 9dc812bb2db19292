create or replace function pgtrail._add_entry_format(
    trail_name text,
    relation   regclass,
    erasable   name[],
    digested   name[]
)
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_columns name[];
begin
    -- The entry of the log holds every column but the salt and what is generated. Sealed entries keep the format they
    -- were sealed with.
    select array_agg(attribute.attname order by attribute.attnum) into v_columns
    from pg_catalog.pg_attribute as attribute
    where attribute.attrelid = _add_entry_format.relation
        and attribute.attnum > 0
        and not attribute.attisdropped
        and attribute.attgenerated = ''
        and attribute.attname <> 'erasure_salt';
    insert into pgtrail.entry_format (trail_name, version, columns, erasable, digested)
    select _add_entry_format.trail_name, coalesce(max(format.version), 0) + 1, v_columns,
        _add_entry_format.erasable, _add_entry_format.digested
    from pgtrail.entry_format as format
    where format.trail_name = _add_entry_format.trail_name
    having (
        select (newest.columns, newest.erasable, newest.digested)
            is distinct from (v_columns, _add_entry_format.erasable, _add_entry_format.digested)
        from (values (max(format.version))) as last (version)
        left join pgtrail.entry_format as newest
            on newest.trail_name = _add_entry_format.trail_name and newest.version = last.version
    );
end;
$$;

revoke all on function pgtrail._add_entry_format from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._add_entry_format is
    'Adds the version of the format in which later entries of a trail enter the log, when the last one is another.';
