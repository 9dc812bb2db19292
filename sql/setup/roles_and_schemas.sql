-- Roles, schemas and the trail registry.
--
-- This runs as a non-superuser with CREATEROLE that may create schemas in this database (Supabase's
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
        execute 'revoke all on all tables in schema pgtrail '
                'from public, anon, authenticated, service_role, pgtrail_auditor';
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
