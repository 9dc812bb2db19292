create or replace function pgtrail._refused_purge(trail_name text, month timestamptz, sqlstate text)
    returns pgtrail.purge_line
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set timezone = 'UTC'
as $$
begin
    return row(
        _refused_purge.trail_name, null, 0,
        case when _refused_purge.sqlstate in ('55P03', '40P01') then 'postponed' else 'failed' end,
        format('%s: %s', to_char(_refused_purge.month, 'YYYY-MM'), pgtrail.safe_error(_refused_purge.sqlstate))
    )::pgtrail.purge_line;
end;
$$;

revoke all on function pgtrail._refused_purge from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._refused_purge is
    'Returns the line of a month that could not be purged: postponed when somebody was in the way, else failed.';
