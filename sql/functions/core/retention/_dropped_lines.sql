create or replace function pgtrail._dropped_lines(trail_name text, month timestamptz, organisations jsonb)
    returns pgtrail.purge_line[]
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set timezone = 'UTC'
as $$
begin
    return coalesce(
        (
            select array_agg(row(
                _dropped_lines.trail_name, due.organisation_id, due.entries, 'drop',
                format('%s is past %s', to_char(_dropped_lines.month, 'YYYY-MM'), due.keep))::pgtrail.purge_line)
            from jsonb_to_recordset(_dropped_lines.organisations)
                as due (organisation_id uuid, keep interval, entries bigint)
        ),
        array[row(
            _dropped_lines.trail_name, null, 0, 'drop',
            format('%s is empty and past the policy of the trail', to_char(_dropped_lines.month, 'YYYY-MM'))
        )::pgtrail.purge_line]);
end;
$$;

revoke all on function pgtrail._dropped_lines from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._dropped_lines is
    'Returns the lines of a month that is dropped as a whole: one an organisation, or one when it is empty.';
