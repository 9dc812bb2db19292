create or replace function pgtrail._exception_defects()
    returns table (defect text, trail_name text, entry_id uuid, detail text)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_size bigint;
    v_version smallint;
begin
    select head.tree_size into strict v_size from pgtrail.log as head where head.log_id = 1;

    return query
    select 'inserted'::text, late.trail_name, late.entry_id, 'is listed as late at a leaf that the log does not have'
    from pgtrail.late_entry as late
    where late.log_id = 1 and late.leaf_index not between 0 and v_size - 1;

    for trail_name, entry_id, v_version in
        select unsealable.trail_name, unsealable.entry_id,
            (
                select max(format.version)
                from pgtrail.entry_format as format
                where format.trail_name = unsealable.trail_name
            )
        from pgtrail.unsealable_entry as unsealable
    loop
        begin
            if octet_length(pgtrail._entry_bytes(trail_name, entry_id, v_version)) <= 65535 then
                defect := 'inserted';
                detail := 'was set aside as unsealable, and can be encoded';
                return next;
            end if;
        exception
            when data_exception or feature_not_supported or program_limit_exceeded then null;
        end;
    end loop;
end;
$$;

revoke all on function pgtrail._exception_defects from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._exception_defects is
    'Returns a defect for each entry that is listed as late or as unsealable, and is not.';
