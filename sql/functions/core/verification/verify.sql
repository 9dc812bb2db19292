create or replace function pgtrail.verify(trail regclass default null)
    returns table (defect text, trail_name text, entry_id uuid, detail text)
    language plpgsql stable security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_trail text := case when verify.trail is not null then pgtrail.trail_name(verify.trail) end;
    v_first_leaf bigint;
begin
    return query
    select found.defect, found.trail_name, found.entry_id, found.detail
    from pgtrail.verify_head() as found
    where found.trail_name = v_trail or found.trail_name is null or v_trail is null;

    for v_first_leaf in
        select batch.first_leaf
        from pgtrail.batch as batch
        where batch.log_id = 1
            and (v_trail is null or exists (
                select from pgtrail.batch_content as content
                where content.log_id = 1
                    and content.first_leaf = batch.first_leaf
                    and content.trail_name = v_trail))
        order by batch.first_leaf
    loop
        return query
        select found.defect, found.trail_name, found.entry_id, found.detail
        from pgtrail.verify_batch(v_first_leaf) as found
        where found.trail_name = v_trail or found.trail_name is null or v_trail is null;
    end loop;
end;
$$;

revoke all on function pgtrail.verify from public, anon, authenticated, service_role;
grant execute on function pgtrail.verify to pgtrail_auditor;
comment on function pgtrail.verify is
    'Recomputes the log, or the batches that hold entries of one trail, from the entries and returns every defect; '
    'no row when all is intact. Batch by batch, in bounded memory. What a rewrite of entries and log together hides '
    'is found by verify_checkpoint with a checkpoint that was published before. Raises 22023 (no trail).';
