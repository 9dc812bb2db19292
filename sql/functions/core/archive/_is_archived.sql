-- What was erased after it was archived is still in the file, which then is not the archive of the month any more.
create or replace function pgtrail._is_archived(trail_name text, month date)
    returns boolean
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set timezone = 'UTC'
as $$
declare
    v_entries bigint := pgtrail._sealed_entry_count(_is_archived.trail_name, _is_archived.month);
begin
    return v_entries = 0 or exists (
        select
        from pgtrail.archive as kept
        where kept.trail_name = _is_archived.trail_name
            and kept.month = _is_archived.month
            and kept.entries = v_entries
            and not pgtrail.has_erasures_since(
                (select registered.relation from pgtrail.trail as registered
                    where registered.trail_name = kept.trail_name),
                kept.month, kept.archived_at)
    );
end;
$$;

revoke all on function pgtrail._is_archived from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._is_archived is
    'Tells whether a trail''s month was archived as it is now: as many entries as the log has, and nothing of it '
    'erased since. A month without entries needs no archive.';
