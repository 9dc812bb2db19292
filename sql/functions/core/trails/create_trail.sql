-- Invoker: it is run by the owner of the table, who must be a member of pgtrail_owner.
-- It is idempotent: a newer version of pgtrail calls it again for every registered trail.
create or replace function pgtrail.create_trail(
    relation            regclass,
    organisation_column name,
    erasable            name[] default '{}',
    digested            name[] default '{}'
)
    returns void
    language plpgsql
    set search_path = pg_catalog, pg_temp
    set client_min_messages = warning
as $$
declare
    v_trail name := (select class.relname from pg_catalog.pg_class as class where class.oid = create_trail.relation);
    v_defect text := pgtrail._trail_shape_defect(
        create_trail.relation, create_trail.organisation_column, create_trail.erasable, create_trail.digested);
begin
    if v_defect is not null then
        raise exception '% does not have the shape of a trail', create_trail.relation
            using errcode = 'TR001',
                  detail = v_defect,
                  hint = 'The required columns are listed under "Make a trail of your own" in the documentation.';
    end if;

    if exists (
        select from pgtrail.trail as registered
        where registered.trail_name = v_trail and registered.relation <> create_trail.relation
    ) then
        raise exception 'a trail named "%" exists already', v_trail
            using errcode = 'duplicate_object',
                  hint = 'Trails of one database have different names, whatever their schema. Rename the table.';
    end if;

    execute format('alter table %s owner to pgtrail_owner', create_trail.relation);
    perform pgtrail._add_trail_constraints(create_trail.relation);
    perform pgtrail._add_trail_indexes(create_trail.relation, create_trail.organisation_column);
    -- After a restore into another cluster the log is in a later era than the table's definition says.
    execute format(
        'alter table %s alter column era set default %s',
        create_trail.relation, (select head.era from pgtrail.log as head where head.log_id = 1));

    perform pgtrail._attach_guards(create_trail.relation);
    perform pgtrail._set_trail_policies(create_trail.relation, create_trail.organisation_column);
    perform pgtrail._grant_trail(create_trail.relation);

    insert into pgtrail.trail (trail_name, relation, organisation_column, time_column, erasable, digested)
    values (
        v_trail, create_trail.relation, create_trail.organisation_column,
        pgtrail._time_column(create_trail.relation), create_trail.erasable, create_trail.digested)
    on conflict (trail_name) do update set
        organisation_column = excluded.organisation_column,
        time_column = excluded.time_column,
        erasable = excluded.erasable,
        digested = excluded.digested;
    perform pgtrail._add_entry_format(v_trail, create_trail.relation, create_trail.erasable, create_trail.digested);

    perform pgtrail.ensure_partitions(
        create_trail.relation, now() - interval '1 month', now() + interval '13 months');
end;
$$;

revoke all on function pgtrail.create_trail from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail.create_trail is
    'Makes an append-only trail of a table that has the required columns: owner pgtrail_owner, constraints, guards, '
    'row level security, grants, the indexes on (organisation, id) and (tx_id, id), monthly partitions from last month '
    'to 13 months ahead, a format of its entries in the log, and a row in pgtrail.trail. erasable: columns whose '
    'value may be erased later; digested: columns that enter the log as a digest. Can be run again. Raises TR001 '
    'when the table has another shape, 42710 when the name is taken.';
