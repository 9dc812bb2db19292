create or replace function pgtrail._sealed_entry_count(trail_name text, month date)
    returns bigint
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
begin
    return (
        select coalesce(sum(content.entries - content.purged), 0)
        from pgtrail.batch_content as content
        where content.trail_name = _sealed_entry_count.trail_name and content.month = _sealed_entry_count.month
    );
end;
$$;

revoke all on function pgtrail._sealed_entry_count from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._sealed_entry_count is
    'Returns how many entries of a trail''s month the log has, without those that a retention policy removed.';
