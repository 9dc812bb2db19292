create or replace function pgtrail._published_checkpoint_defects(checkpoints int)
    returns table (defect text, trail_name text, entry_id uuid, detail text)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select 'published checkpoint does not fit'::text, null::text, null::uuid,
        format('%s had another root at size %s', published.origin, published.tree_size)
    from (
        select kept.*
        from pgtrail.published_checkpoint as kept
        where kept.log_id = 1
        order by kept.published_at desc
        limit _published_checkpoint_defects.checkpoints
    ) as published
    where split_part(published.note, E'\n\n', 1) <> concat_ws(
            E'\n', published.origin, published.tree_size, encode(published.root, 'base64'))
        or published.origin = (select head.origin from pgtrail.log as head where head.log_id = 1)
            and not pgtrail.verify_checkpoint(published.tree_size, published.root);
end;
$$;

revoke all on function pgtrail._published_checkpoint_defects
    from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._published_checkpoint_defects is
    'Returns a defect for each of the newest published checkpoints, or of all (null), that the log does not fit.';
