create or replace function pgtrail.verify_head(checkpoints int default null)
    returns table (defect text, trail_name text, entry_id uuid, detail text)
    language plpgsql stable security definer
    set search_path = pg_catalog, pg_temp
    set jit = off
as $$
begin
    return query
    select found.* from pgtrail._batch_order_defects() as found
    union all
    select found.* from pgtrail._head_defects() as found
    union all
    select found.* from pgtrail._gap_defects() as found
    union all
    select found.* from pgtrail._registry_defects() as found
    union all
    select found.* from pgtrail._exception_defects() as found
    union all
    select found.* from pgtrail._unreachable_entry_defects(every_era => verify_head.checkpoints is null) as found
    union all
    select found.* from pgtrail._published_checkpoint_defects(verify_head.checkpoints) as found;
end;
$$;

revoke all on function pgtrail.verify_head from public, anon, authenticated, service_role;
grant execute on function pgtrail.verify_head to pgtrail_auditor;
comment on function pgtrail.verify_head is
    'Returns the defects of the log that belong to no batch: a broken order of batches, a head that the tiles do not '
    'give, entries below the watermark that are in no batch or that no seal will take, exceptions that are none, '
    'published checkpoints that no longer fit. With a number of checkpoints it is bounded: of those only the newest '
    'are looked at, and not every entry for its era.';
