-- The door for erasure. It belongs to pgtrail_purger, whom the guards let through; nobody else may call it.
create or replace function pgtrail._erase_columns(relation regclass, entry_id uuid, columns name[])
    returns void
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_erased bigint;
begin
    execute format(
        'update %s set erasure_salt = null, %s where id = $1',
        _erase_columns.relation,
        (select string_agg(format('%I = null', part.name), ', ') from unnest(_erase_columns.columns) as part (name)))
    using _erase_columns.entry_id;
    get diagnostics v_erased = row_count;
    if v_erased <> 1 then
        raise exception 'the entry could not be erased'
            using errcode = 'data_corrupted',
                  detail = format('%s entries were changed', v_erased),
                  hint = 'Run pgtrail.verify(), and pgtrail doctor for the policies of the table.';
    end if;
end;
$$;

alter function pgtrail._erase_columns owner to pgtrail_purger;
revoke all on function pgtrail._erase_columns from public, anon, authenticated, service_role, pgtrail_auditor;
grant execute on function pgtrail._erase_columns to pgtrail_owner;
comment on function pgtrail._erase_columns is
    'Sets columns and the salt of one entry to null. Raises XX001 when it is not one entry.';
