create or replace function pgtrail._current_capture_query(entity_type text, operation text)
    returns text
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
begin
    return (
        select pgtrail._capture_query(known, _current_capture_query.operation)
        from pgtrail.tracked_table as known where known.entity_type = _current_capture_query.entity_type);
end;
$$;

revoke all on function pgtrail._current_capture_query from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._current_capture_query is
    'Returns what pgtrail._capture_query() does for a table as it is now, by its entity_type.';
