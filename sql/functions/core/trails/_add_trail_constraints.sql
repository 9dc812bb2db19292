create or replace function pgtrail._add_trail_constraints(relation regclass)
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
begin
    if not exists (
        select from pg_catalog.pg_constraint
        where conrelid = _add_trail_constraints.relation and conname = 'id_is_uuid_v7'
    ) then
        execute format(
            'alter table %s add constraint id_is_uuid_v7 check ((get_byte(uuid_send(id), 6) >> 4) = 7)',
            _add_trail_constraints.relation);
    end if;
    if not exists (
        select from pg_catalog.pg_constraint
        where conrelid = _add_trail_constraints.relation and conname = 'event_is_not_in_the_future'
    ) then
        execute format(
            'alter table %s add constraint event_is_not_in_the_future '
            'check (%I <= recorded_at + interval ''5 minutes'')',
            _add_trail_constraints.relation, pgtrail._time_column(_add_trail_constraints.relation));
    end if;
end;
$$;

revoke all on function pgtrail._add_trail_constraints from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._add_trail_constraints is
    'Gives a trail the constraints on its id and on the time of the event, where it lacks them.';
