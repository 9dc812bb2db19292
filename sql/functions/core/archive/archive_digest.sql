create or replace function pgtrail.archive_digest(trail regclass, month date)
    returns bytea
    language plpgsql stable security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_trail_name text := pgtrail.trail_name(archive_digest.trail);
begin
    perform pgtrail._require_month(archive_digest.month);
    return (
        select kept.sha256
        from pgtrail.archive as kept
        where kept.trail_name = v_trail_name
            and kept.month = archive_digest.month
            and pgtrail._is_archived(kept.trail_name, kept.month)
    );
end;
$$;

revoke all on function pgtrail.archive_digest from public, anon, authenticated, service_role;
grant execute on function pgtrail.archive_digest to pgtrail_auditor;
comment on function pgtrail.archive_digest is
    'Returns the SHA-256 of the file that a trail''s month (UTC, named by its first day) was archived in; null when '
    'it was not, or is not any more as it was then. Raises 22023.';
