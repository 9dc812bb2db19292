-- Roles, schemas and the trail registry.
--
-- Runs as a non-superuser with CREATEROLE that may create schemas in this database (Supabase's
-- postgres is such a role). Everything pgtrail creates is owned by pgtrail_owner, so that no
-- default privilege of the migrating role ever applies to it.
do $$
declare
    v_role text;
begin
    -- A second history would run every migration again on top of itself.
    if to_regclass('pgtrail.trail') is not null then
        raise exception 'pgtrail is already installed in this database'
            using errcode = 'TR002',
                  detail = 'The migrations are recorded in another history table than the one in use now.',
                  hint = 'Go on with the migration tool that installed it: pgtrail.pgmigrations belongs to '
                         'node-pg-migrate, supabase_migrations.schema_migrations to the Supabase CLI.';
    end if;

    foreach v_role in array array[
        'pgtrail_owner', 'pgtrail_purger', 'anon', 'authenticated', 'service_role', 'pgtrail_auditor'
    ] loop
        begin
            if not exists (select from pg_catalog.pg_roles where rolname = v_role) then
                execute format('create role %I nologin', v_role);
            end if;
        exception
            -- Roles belong to the cluster: another database may be migrated at this moment.
            when duplicate_object or unique_violation then null;
        end;
    end loop;

    if not pg_has_role(current_user, 'pgtrail_owner', 'usage') then
        begin
            execute format('grant pgtrail_owner to %I', current_user);
        exception
            when insufficient_privilege then
                raise exception 'role "%" may not act as pgtrail_owner', current_user
                    using errcode = 'insufficient_privilege',
                          hint = 'pgtrail_owner exists in this cluster already. As the role that created it, run: '
                                 || format('grant pgtrail_owner to %I;', current_user);
        end;
    end if;

    -- The owner gives functions to the purger, and so must be a member of it.
    if not pg_has_role('pgtrail_owner', 'pgtrail_purger', 'usage') then
        begin
            execute 'grant pgtrail_purger to pgtrail_owner';
        exception
            when insufficient_privilege then
                raise exception 'role "%" may not grant pgtrail_purger', current_user
                    using errcode = 'insufficient_privilege',
                          hint = 'pgtrail_purger exists in this cluster already. As the role that created it, run: '
                                 'grant pgtrail_purger to pgtrail_owner;';
        end;
    end if;

    -- The runner's own schema, when node-pg-migrate made it a moment ago for its history table.
    if to_regnamespace('pgtrail') is not null then
        execute 'alter schema pgtrail owner to pgtrail_owner';
        execute 'revoke all on all tables in schema pgtrail from public, anon, authenticated, service_role, pgtrail_auditor';
    else
        execute 'create schema pgtrail authorization pgtrail_owner';
    end if;

    execute 'grant usage, create on schema public to pgtrail_owner';
    if not has_schema_privilege('pgtrail_owner', 'public', 'create') then
        raise exception 'pgtrail_owner may not create in schema public'
            using errcode = 'insufficient_privilege',
                  hint = 'As the owner of schema public, run: grant usage, create on schema public to pgtrail_owner;';
    end if;
end;
$$;

grant usage on schema public to anon, authenticated, service_role, pgtrail_auditor, pgtrail_purger;
create schema pgtrail_partitions authorization pgtrail_owner;

set role pgtrail_owner;

comment on schema pgtrail is
    'Machinery of pgtrail: trail registry, guards, partitions. Not part of the exposed API.';
comment on schema pgtrail_partitions is
    'Monthly partitions of the trails. Nobody but the owner may use it: row level security and grants are not inherited.';
revoke all on schema pgtrail from public, anon;
revoke all on schema pgtrail_partitions from public, anon, authenticated, service_role, pgtrail_auditor;
grant usage on schema pgtrail to authenticated, service_role, pgtrail_auditor;
-- It owns functions there.
grant usage, create on schema pgtrail to pgtrail_purger;

create table pgtrail.trail (
    trail_name          text primary key,
    relation            regclass not null,
    organisation_column name not null,
    time_column         name not null,
    erasable            name[] not null default '{}',
    digested            name[] not null default '{}',
    registered_at       timestamptz not null default clock_timestamp(),

    constraint relation_is_registered_once unique (relation),
    -- Partitions are named <trail>_<yyyy>_<mm> and an identifier has at most 63 bytes.
    constraint trail_name_leaves_room_for_partition_names check (octet_length(trail_name) <= 55)
);
revoke all on pgtrail.trail from public, anon, authenticated, service_role, pgtrail_auditor;
grant select on pgtrail.trail to pgtrail_auditor;
comment on table pgtrail.trail is 'Registry of trails, written by pgtrail.create_trail.';
comment on column pgtrail.trail.trail_name is 'Name of the relation without its schema: the tag of its entries in the log and the prefix of its partitions.';
comment on column pgtrail.trail.relation is 'The partitioned table.';
comment on column pgtrail.trail.organisation_column is 'Column that holds the tenant of an entry.';
comment on column pgtrail.trail.time_column is 'Generated column that shows the time of the event, which is the time inside the id.';
comment on column pgtrail.trail.erasable is 'Columns whose value may be erased while the proof of the entry stays valid.';
comment on column pgtrail.trail.digested is 'Columns that enter the log as a digest because they can be large.';
comment on column pgtrail.trail.registered_at is 'When create_trail registered it first.';

reset role;
