create or replace function pgtrail._published_checkpoint_health()
    returns table (check_name text, status text, detail text)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set jit = off
as $$
declare
    v_log pgtrail.log;
    v_published pgtrail.published_checkpoint;
begin
    check_name := 'published checkpoint';
    select head.* into strict v_log from pgtrail.log as head where head.log_id = 1;
    select published.* into v_published
    from pgtrail.published_checkpoint as published
    where published.log_id = 1 and published.origin = v_log.origin
    order by published.tree_size desc
    limit 1;
    status := case
        when v_published.tree_size is null then 'warning'
        when not pgtrail.verify_checkpoint(v_published.tree_size, v_published.root) then 'critical'
        when v_published.tree_size < v_log.tree_size
            and v_published.published_at < clock_timestamp() - interval '26 hours' then 'warning'
        else 'ok'
    end;
    detail := case
        when v_published.tree_size is null then 'none yet: from the first one on the log is evidence'
        when status = 'critical' then format(
            'size %s does not fit the log: after a point-in-time recovery call pgtrail.start_new_origin',
            v_published.tree_size)
        else format('size %s of %s, %s ago', v_published.tree_size, v_log.tree_size,
                    date_trunc('second', clock_timestamp() - v_published.published_at))
    end;
    return next;
end;
$$;

revoke all on function pgtrail._published_checkpoint_health from public, anon, authenticated, service_role;
grant execute on function pgtrail._published_checkpoint_health to pgtrail_auditor;
comment on function pgtrail._published_checkpoint_health is
    'Tells how much of the log was published; critical when the log does not fit it any more.';
