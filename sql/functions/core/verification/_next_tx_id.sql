-- Before seal() has noticed a restore into another cluster, transaction ids there say nothing.
create or replace function pgtrail._next_tx_id(head pgtrail.log)
    returns xid8
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
begin
    return (
        select case
            when control.system_identifier = (_next_tx_id.head).system_identifier
                then pg_snapshot_xmax(pg_current_snapshot())
            else (pgtrail._era_end()).tx_id
        end
        from pg_control_system() as control
    );
end;
$$;

revoke all on function pgtrail._next_tx_id from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._next_tx_id is 'Returns the transaction that is the next to begin in the era of the log.';
