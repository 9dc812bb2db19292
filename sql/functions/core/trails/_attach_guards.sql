-- The row guard is for replication apply, which fires row triggers only. The statement guard refuses
-- statements that match no row and TRUNCATE; unlike the row guard it is not cloned to partitions.
create or replace function pgtrail._attach_guards(relation regclass)
    returns void
    language plpgsql
    set search_path = pg_catalog, pg_temp
as $$
begin
    execute format(
        'create or replace trigger refuse_change_of_statement before update or delete or truncate on %s '
        'for each statement execute function pgtrail.tg__refuse_change()', _attach_guards.relation);
    execute format('alter table %s enable always trigger refuse_change_of_statement', _attach_guards.relation);

    -- A partition gets the row guard from the trail when it is attached, enabled as it is there.
    if (select relkind = 'p' from pg_catalog.pg_class where oid = _attach_guards.relation) then
        execute format(
            'create or replace trigger refuse_change_of_row before update or delete on %s '
            'for each row execute function pgtrail.tg__refuse_change()', _attach_guards.relation);
        execute format('alter table %s enable always trigger refuse_change_of_row', _attach_guards.relation);
    end if;

    execute format('alter table %s enable row level security', _attach_guards.relation);
    execute format(
        'revoke all on %s from public, anon, authenticated, service_role, pgtrail_auditor', _attach_guards.relation);
end;
$$;

revoke all on function pgtrail._attach_guards from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._attach_guards is
    'Makes a trail or one of its partitions append-only: guards enabled always, row level security on, no privileges.';
