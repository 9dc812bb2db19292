create or replace function pgtrail._add_trail_indexes(relation regclass, organisation_column name)
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_trail name := (
        select class.relname from pg_catalog.pg_class as class where class.oid = _add_trail_indexes.relation);
begin
    if not exists (
        select
        from pg_catalog.pg_index as index
        join pg_catalog.pg_attribute as attribute
            on attribute.attrelid = index.indrelid and attribute.attname = _add_trail_indexes.organisation_column
        join pg_catalog.pg_attribute as key on key.attrelid = index.indrelid and key.attname = 'id'
        where index.indrelid = _add_trail_indexes.relation
            and index.indkey::text = attribute.attnum || ' ' || key.attnum
            and index.indpred is null
    ) then
        execute format(
            'create index %I on %s (%I, id)',
            left(v_trail || '_' || _add_trail_indexes.organisation_column, 56) || '_id_idx',
            _add_trail_indexes.relation, _add_trail_indexes.organisation_column);
    end if;

    execute format(
        'create index if not exists %I on %s (tx_id, id)',
        left(v_trail::text, 51) || '_tx_id_id_idx', _add_trail_indexes.relation);
end;
$$;

revoke all on function pgtrail._add_trail_indexes from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._add_trail_indexes is
    'Gives a trail the indexes on (organisation, id), which pages read, and on (tx_id, id), which sealing does, where '
    'it lacks them.';
