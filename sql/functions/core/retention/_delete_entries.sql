-- The door for removal. It belongs to pgtrail_purger, whom the guards let through; nobody else may call it.
create or replace function pgtrail._delete_entries(relation regclass, entry_ids uuid[])
    returns bigint
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_deleted bigint;
begin
    execute format('delete from %s where id = any ($1)', _delete_entries.relation)
    using _delete_entries.entry_ids;
    get diagnostics v_deleted = row_count;
    if v_deleted <> cardinality(_delete_entries.entry_ids) then
        raise exception 'a purge must remove what is due, no more and no less'
            using errcode = 'data_corrupted',
                  detail = format('%s entries were due, %s removed', cardinality(_delete_entries.entry_ids), v_deleted),
                  hint = 'Nothing was removed. Run pgtrail.verify(), and pgtrail doctor for the policies of the table.';
    end if;
    return v_deleted;
end;
$$;

alter function pgtrail._delete_entries owner to pgtrail_purger;
revoke all on function pgtrail._delete_entries from public, anon, authenticated, service_role, pgtrail_auditor;
grant execute on function pgtrail._delete_entries to pgtrail_owner;
comment on function pgtrail._delete_entries is
    'Removes entries of a trail, all of them or none. Raises XX001 when it would remove other than was asked.';
