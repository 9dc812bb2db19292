create or replace function pgtrail._require_tree_size(tree_size bigint, newest bigint)
    returns void
    language plpgsql immutable
    set search_path = pg_catalog, pg_temp
as $$
begin
    if (_require_tree_size.tree_size between 0 and _require_tree_size.newest) is not true then
        raise exception 'the log never had this size'
            using errcode = 'invalid_parameter_value',
                  detail = format('got %s, the log has %s leaves', coalesce(_require_tree_size.tree_size::text, 'null'),
                                  _require_tree_size.newest),
                  hint = 'When a published checkpoint is larger than the log, entries were lost.';
    end if;
end;
$$;

revoke all on function pgtrail._require_tree_size from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._require_tree_size is 'Raises 22023 unless tree_size lies between 0 and newest.';
