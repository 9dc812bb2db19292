create or replace function pgtrail.sealed_entries(month date)
    returns table (trail_name text, entries bigint)
    language plpgsql stable security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    perform pgtrail._require_month(sealed_entries.month);
    return query
    select counted.trail_name, counted.entries
    from (
        select registered.trail_name,
            pgtrail._sealed_entry_count(registered.trail_name, sealed_entries.month) as entries
        from pgtrail.trail as registered
    ) as counted
    where counted.entries > 0
    order by counted.trail_name;
end;
$$;

revoke all on function pgtrail.sealed_entries from public, anon, authenticated, service_role;
grant execute on function pgtrail.sealed_entries to pgtrail_auditor;
comment on function pgtrail.sealed_entries is
    'Returns how many entries the log has of a month (UTC, named by its first day), by trail, without those that a '
    'retention policy removed. Raises 22023.';
