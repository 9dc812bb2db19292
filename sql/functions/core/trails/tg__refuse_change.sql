create or replace function pgtrail.tg__refuse_change()
    returns trigger
    language plpgsql
    set search_path = pg_catalog, pg_temp
as $$
begin
    -- The one door: functions that belong to this role, which nobody can log in as.
    if current_user = 'pgtrail_purger' and tg_op <> 'TRUNCATE' then
        if tg_level = 'STATEMENT' then
            return null;
        elsif tg_op = 'DELETE' then
            return old;
        end if;
        return new;
    end if;

    raise exception '% is append-only: % refused', tg_table_name, lower(tg_op)
        using errcode = 'insufficient_privilege',
              hint = 'Entries of a trail are never changed or removed. Record a new entry that corrects the old one.';
end;
$$;

revoke all on function pgtrail.tg__refuse_change from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail.tg__refuse_change is
    'Trigger function of all guards. Raises 42501 (insufficient_privilege) for every UPDATE, DELETE and '
    'TRUNCATE, but what pgtrail_purger does in the course of a purge or an erasure.';
