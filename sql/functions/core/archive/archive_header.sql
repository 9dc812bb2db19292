create or replace function pgtrail.archive_header(trail regclass, month date)
    returns table (origin text, time_column name, columns jsonb)
    language plpgsql stable security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_trail_name text := pgtrail.trail_name(archive_header.trail);
begin
    perform pgtrail._require_month(archive_header.month);
    return query
    select head.origin, registered.time_column, (
        select jsonb_object_agg(format.trail_name || '/' || format.version, format.columns order by format.version)
        from pgtrail.entry_format as format
        where format.trail_name = registered.trail_name
            and format.version in (
                select content.version
                from pgtrail.batch_content as content
                where content.trail_name = format.trail_name and content.month = archive_header.month)
    )
    from pgtrail.log as head
    cross join pgtrail.trail as registered
    where head.log_id = 1 and registered.trail_name = v_trail_name;
end;
$$;

revoke all on function pgtrail.archive_header from public, anon, authenticated, service_role;
grant execute on function pgtrail.archive_header to pgtrail_auditor;
comment on function pgtrail.archive_header is
    'Returns what the header of an archive of a trail''s month (UTC, named by its first day) says: the origin of the '
    'log, the column with the time of the event, and the columns of the entries by format, {"<trail>/<version>": '
    '[...]}. Raises 22023.';
