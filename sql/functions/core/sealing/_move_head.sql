create or replace function pgtrail._move_head(log_id int, to_position pgtrail.log_position)
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
begin
    update pgtrail.log as head
    set tx_id = (_move_head.to_position).tx_id,
        trail_name = (_move_head.to_position).trail_name,
        entry_id = (_move_head.to_position).entry_id
    where head.log_id = _move_head.log_id;
end;
$$;

revoke all on function pgtrail._move_head from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._move_head is 'Says that everything of the era up to a position is sealed.';
