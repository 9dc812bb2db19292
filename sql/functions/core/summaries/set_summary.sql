create or replace function pgtrail.set_summary(trail regclass, bucket text default null)
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_trail_name text := pgtrail.trail_name(set_summary.trail);
begin
    perform from pgtrail.log as head where head.log_id = 1 for update;
    update pgtrail.trail as registered
    set bucket = set_summary.bucket
    where registered.trail_name = v_trail_name;
    -- Also of a trail that has no entries yet, the expression must be one.
    execute format(
        'select %s from %s as entry limit 0', pgtrail._counted_columns_expression(v_trail_name), set_summary.trail);
    perform pgtrail.recount(set_summary.trail);
end;
$$;

revoke all on function pgtrail.set_summary from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail.set_summary is
    'Sets what summaries of a trail count by: an SQL expression over the row "entry", such as entry.outcome, or null '
    'for one number, and counts its entries again. Sealing waits meanwhile. When it fails on a later entry, seal() '
    'sets it back to null. Raises 22023 (no trail), and what the expression raises.';
