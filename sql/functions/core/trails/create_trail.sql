-- Invoker: it is run by the owner of the table, who must be a member of pgtrail_owner.
-- Idempotent: a newer version of pgtrail calls it again for every registered trail.
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
    -- Set by the database alone: no grant lets a writer send them.
    c_server_columns constant name[] := '{recorded_at,era,tx_id,database_role,erasure_salt}'::name[];
    v_trail name;
    v_time_column name;
    v_defect text;
    v_columns name[];
begin
    select class.relname,
        case
            when class.relkind <> 'p' or partition.partstrat <> 'r' or partition.partattrs::text <> key.attnum::text
                then 'it must be partitioned by range (id)'
            when key.atttypid <> 'uuid'::regtype or not exists (
                select from pg_catalog.pg_constraint
                where conrelid = class.oid and contype = 'p' and conkey = array[key.attnum])
                then 'its primary key must be id uuid'
        end
    into v_trail, v_defect
    from pg_catalog.pg_class as class
    left join pg_catalog.pg_partitioned_table as partition on partition.partrelid = class.oid
    left join pg_catalog.pg_attribute as key on key.attrelid = class.oid and key.attname = 'id'
    where class.oid = create_trail.relation;

    select attribute.attname into v_time_column
    from pg_catalog.pg_attribute as attribute
    join pg_catalog.pg_attrdef as expression
        on expression.adrelid = attribute.attrelid and expression.adnum = attribute.attnum
    where attribute.attrelid = create_trail.relation
        and attribute.attgenerated = 's'
        and pg_get_expr(expression.adbin, expression.adrelid) = 'pgtrail.uuid7_time(id)';

    v_defect := coalesce(
        v_defect,
        case when v_time_column is null then
            'it must have one column "<event>_at timestamptz generated always as (pgtrail.uuid7_time(id)) stored"'
        end,
        (
            select format('it must have column "%s %s %s"', required.name, required.type, required.clause)
            from (values
                ('recorded_at'::name, 'timestamptz'::regtype, true, 'clock_timestamp()',
                    'not null default clock_timestamp()'),
                ('era', 'smallint', true, null, 'not null default 0'),
                ('tx_id', 'xid8', true, 'pg_current_xact_id()', 'not null default pg_current_xact_id()'),
                ('erasure_salt', 'uuid', false, 'gen_random_uuid()', 'default gen_random_uuid()'),
                (create_trail.organisation_column, 'uuid', false, null, '')
            ) as required (name, type, not_null, default_expression, clause)
            left join pg_catalog.pg_attribute as attribute
                on attribute.attrelid = create_trail.relation and attribute.attname = required.name
            left join pg_catalog.pg_attrdef as expression
                on expression.adrelid = attribute.attrelid and expression.adnum = attribute.attnum
            where (required.name <> 'erasure_salt' or create_trail.erasable <> '{}')
                and (attribute.atttypid is distinct from required.type
                    or required.not_null and not attribute.attnotnull
                    or required.default_expression is not null
                        and pg_get_expr(expression.adbin, expression.adrelid)
                            is distinct from required.default_expression)
            limit 1
        ),
        (
            select format('column "%s" cannot be erasable or digested: it is missing or required', named.name)
            from unnest(create_trail.erasable || create_trail.digested) as named (name)
            left join pg_catalog.pg_attribute as attribute
                on attribute.attrelid = create_trail.relation
                and attribute.attname = named.name
                and attribute.attnum > 0
            where attribute.attname is null
                or attribute.attname = any (
                    c_server_columns || array['id', v_time_column, create_trail.organisation_column])
                or attribute.attnotnull and named.name = any (create_trail.erasable)
            limit 1
        )
    );

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

    if not exists (
        select from pg_catalog.pg_constraint
        where conrelid = create_trail.relation and conname = 'id_is_uuid_v7'
    ) then
        execute format(
            'alter table %s add constraint id_is_uuid_v7 check ((get_byte(uuid_send(id), 6) >> 4) = 7)',
            create_trail.relation);
    end if;
    if not exists (
        select from pg_catalog.pg_constraint
        where conrelid = create_trail.relation and conname = 'event_is_not_in_the_future'
    ) then
        execute format(
            'alter table %s add constraint event_is_not_in_the_future '
            'check (%I <= recorded_at + interval ''5 minutes'')',
            create_trail.relation, v_time_column);
    end if;

    if not exists (
        select
        from pg_catalog.pg_index as index
        join pg_catalog.pg_attribute as attribute
            on attribute.attrelid = index.indrelid and attribute.attname = create_trail.organisation_column
        join pg_catalog.pg_attribute as key on key.attrelid = index.indrelid and key.attname = 'id'
        where index.indrelid = create_trail.relation
            and index.indkey::text = attribute.attnum || ' ' || key.attnum
            and index.indpred is null
    ) then
        execute format(
            'create index %I on %s (%I, id)',
            left(v_trail || '_' || create_trail.organisation_column, 56) || '_id_idx',
            create_trail.relation, create_trail.organisation_column);
    end if;

    execute format(
        'create index if not exists %I on %s (tx_id, id)',
        left(v_trail::text, 51) || '_tx_id_id_idx', create_trail.relation);

    -- After a restore into another cluster the log is in a later era than the table's definition says.
    execute format(
        'alter table %s alter column era set default %s',
        create_trail.relation, (select head.era from pgtrail.log as head where head.log_id = 1));

    perform pgtrail._attach_guards(create_trail.relation);

    -- One policy a role, so that none is evaluated beside another. The subquery runs once per query.
    execute format('drop policy if exists select_member on %s', create_trail.relation);
    execute format(
        'create policy select_member on %s for select to authenticated '
        'using (%I = any ((select pgtrail.readable_organisations())::uuid[]))',
        create_trail.relation, create_trail.organisation_column);
    execute format('drop policy if exists select_auditor on %s', create_trail.relation);
    execute format(
        'create policy select_auditor on %s for select to pgtrail_auditor using (true)', create_trail.relation);
    -- service_role bypasses row level security on Supabase, but not where pgtrail itself made the role.
    execute format('drop policy if exists select_service on %s', create_trail.relation);
    execute format(
        'create policy select_service on %s for select to service_role using (true)', create_trail.relation);
    execute format('drop policy if exists insert_service on %s', create_trail.relation);
    execute format(
        'create policy insert_service on %s for insert to service_role with check (true)', create_trail.relation);

    execute format('drop policy if exists all_purger on %s', create_trail.relation);
    execute format(
        'create policy all_purger on %s to pgtrail_purger using (true) with check (true)', create_trail.relation);
    execute format('grant select, update, delete on %s to pgtrail_purger', create_trail.relation);

    execute format('grant select on %s to authenticated, service_role, pgtrail_auditor', create_trail.relation);
    execute format(
        'grant insert (%s) on %s to service_role',
        (
            select string_agg(quote_ident(attribute.attname), ', ' order by attribute.attnum)
            from pg_catalog.pg_attribute as attribute
            where attribute.attrelid = create_trail.relation
                and attribute.attnum > 0
                and not attribute.attisdropped
                and attribute.attgenerated = ''
                and attribute.attname <> all (c_server_columns)
        ),
        create_trail.relation);

    insert into pgtrail.trail (trail_name, relation, organisation_column, time_column, erasable, digested)
    values (v_trail, create_trail.relation, create_trail.organisation_column, v_time_column,
            create_trail.erasable, create_trail.digested)
    on conflict (trail_name) do update set
        organisation_column = excluded.organisation_column,
        time_column = excluded.time_column,
        erasable = excluded.erasable,
        digested = excluded.digested;

    -- The entry of the log holds every column but the salt and what is generated. Sealed entries keep the format they
    -- were sealed with.
    select array_agg(attribute.attname order by attribute.attnum) into v_columns
    from pg_catalog.pg_attribute as attribute
    where attribute.attrelid = create_trail.relation
        and attribute.attnum > 0
        and not attribute.attisdropped
        and attribute.attgenerated = ''
        and attribute.attname <> 'erasure_salt';
    insert into pgtrail.entry_format (trail_name, version, columns, erasable, digested)
    select v_trail, coalesce(max(format.version), 0) + 1, v_columns, create_trail.erasable, create_trail.digested
    from pgtrail.entry_format as format
    where format.trail_name = v_trail
    having (
        select (newest.columns, newest.erasable, newest.digested)
            is distinct from (v_columns, create_trail.erasable, create_trail.digested)
        from (values (max(format.version))) as last (version)
        left join pgtrail.entry_format as newest on newest.trail_name = v_trail and newest.version = last.version
    );

    perform pgtrail.ensure_partitions(
        create_trail.relation, now() - interval '1 month', now() + interval '13 months');
end;
$$;

revoke all on function pgtrail.create_trail(regclass, name, name[], name[])
    from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail.create_trail(regclass, name, name[], name[]) is
    'Makes an append-only trail of a table that has the required columns: owner pgtrail_owner, constraints, guards, '
    'row level security, grants, the indexes on (organisation, id) and (tx_id, id), monthly partitions from last month '
    'to 13 months ahead, a format of its entries in the log, and a row in pgtrail.trail. erasable: columns whose '
    'value may be erased later; digested: columns that enter the log as a digest. Can be run again. Raises TR001 '
    'when the table has another shape, 42710 when the name is taken.';
