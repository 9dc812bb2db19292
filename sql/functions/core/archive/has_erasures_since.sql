create or replace function pgtrail.has_erasures_since(trail regclass, month date, since timestamptz)
    returns boolean
    language plpgsql stable security definer
    set search_path = pg_catalog, pg_temp
    set timezone = 'UTC'
as $$
declare
    v_trail_name text := pgtrail.trail_name(has_erasures_since.trail);
begin
    perform pgtrail._require_month(has_erasures_since.month);
    return exists (
        select
        from pgtrail.erasure as erasure
        where erasure.trail_name = v_trail_name
            and erasure.commitment is not null
            and erasure.erased_at >= has_erasures_since.since
            and erasure.entry_id >= pgtrail.uuid7_floor(has_erasures_since.month::timestamptz)
            and erasure.entry_id < pgtrail.uuid7_floor(has_erasures_since.month + interval '1 month'));
end;
$$;

revoke all on function pgtrail.has_erasures_since from public, anon, authenticated, service_role;
grant execute on function pgtrail.has_erasures_since to pgtrail_auditor;
comment on function pgtrail.has_erasures_since is
    'Tells whether something of a trail''s month (UTC, named by its first day) was erased at or after a time. Raises '
    '22023.';
