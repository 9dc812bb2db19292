-- Helpers for pgTAP files: the personas, organisations and memberships that personas.ts has for vitest.
-- Plain SQL, can be loaded again. For test databases only: it lets everybody act as anybody.
begin;

create schema if not exists tests;
comment on schema tests is 'Helpers of pgTAP files. Never part of a real database.';
grant usage on schema tests to public;

create or replace function tests.organisation_a() returns uuid language sql immutable set search_path = pg_catalog, pg_temp
as $$ select 'a0000000-0000-4000-8000-000000000000'::uuid $$;

create or replace function tests.organisation_b() returns uuid language sql immutable set search_path = pg_catalog, pg_temp
as $$ select 'b0000000-0000-4000-8000-000000000000'::uuid $$;

create or replace function tests.platform_organisation() returns uuid language sql immutable set search_path = pg_catalog, pg_temp
as $$ select '00000000-0000-0000-0000-000000000000'::uuid $$;

create or replace function tests.coordinator_a() returns uuid language sql immutable set search_path = pg_catalog, pg_temp
as $$ select 'a0000000-0000-4000-8000-000000000001'::uuid $$;

create or replace function tests.peer_mentor_a() returns uuid language sql immutable set search_path = pg_catalog, pg_temp
as $$ select 'a0000000-0000-4000-8000-000000000002'::uuid $$;

create or replace function tests.chapter_admin_a() returns uuid language sql immutable set search_path = pg_catalog, pg_temp
as $$ select 'a0000000-0000-4000-8000-000000000003'::uuid $$;

create or replace function tests.org_admin_a() returns uuid language sql immutable set search_path = pg_catalog, pg_temp
as $$ select 'a0000000-0000-4000-8000-000000000004'::uuid $$;

create or replace function tests.coordinator_b() returns uuid language sql immutable set search_path = pg_catalog, pg_temp
as $$ select 'b0000000-0000-4000-8000-000000000001'::uuid $$;

create or replace function tests.coordinator_of_both() returns uuid language sql immutable set search_path = pg_catalog, pg_temp
as $$ select 'c0000000-0000-4000-8000-000000000001'::uuid $$;

create or replace function tests.outsider() returns uuid language sql immutable set search_path = pg_catalog, pg_temp
as $$ select 'd0000000-0000-4000-8000-000000000001'::uuid $$;

create or replace function tests.act_as(persona text) returns void language plpgsql set search_path = pg_catalog, pg_temp
as $$
declare
    v_user uuid := case persona
        when 'coordinator_a' then tests.coordinator_a()
        when 'peer_mentor_a' then tests.peer_mentor_a()
        when 'chapter_admin_a' then tests.chapter_admin_a()
        when 'org_admin_a' then tests.org_admin_a()
        when 'coordinator_b' then tests.coordinator_b()
        when 'coordinator_of_both' then tests.coordinator_of_both()
        when 'outsider' then tests.outsider()
    end;
    v_role text := case
        when v_user is not null then 'authenticated'
        when persona = 'anon' then 'anon'
        when persona = 'service' then 'service_role'
        when persona = 'auditor' then 'pgtrail_auditor'
    end;
begin
    if v_role is null then
        raise exception 'unknown persona "%"', persona using errcode = 'invalid_parameter_value';
    end if;
    perform set_config('role', v_role, true),
            set_config('request.jwt.claims', json_strip_nulls(json_build_object('sub', v_user, 'role', v_role))::text, true);
end;
$$;
comment on function tests.act_as(text) is
    'Makes the rest of the transaction a persona''s, as PostgREST does: database role and claims.';

create or replace function tests.act_as_owner() returns void language plpgsql set search_path = pg_catalog, pg_temp
as $$
begin
    perform set_config('role', 'pgtrail_owner', true), set_config('request.jwt.claims', '', true);
end;
$$;
comment on function tests.act_as_owner() is 'Makes the rest of the transaction that of the owner of every object of pgtrail.';

create or replace function tests.act_as_self() returns void language plpgsql set search_path = pg_catalog, pg_temp
as $$
begin
    perform set_config('role', 'none', true), set_config('request.jwt.claims', '', true);
end;
$$;
comment on function tests.act_as_self() is 'Goes back to the role that connected.';

-- Who is there from the start is no event: tests count entries.
alter table public.organisations disable trigger pgtrail_capture_insert;
alter table public.organisation_members disable trigger pgtrail_capture_insert;
set local role service_role;

insert into public.organisations (id, name)
values (tests.organisation_a(), 'Organisation A'), (tests.organisation_b(), 'Organisation B')
on conflict do nothing;

insert into public.organisation_members (organisation_id, user_id, role)
values
    (tests.organisation_a(), tests.coordinator_a()::text, 'coordinator'),
    (tests.organisation_a(), tests.peer_mentor_a()::text, 'peer_mentor'),
    (tests.organisation_a(), tests.chapter_admin_a()::text, 'chapter_admin'),
    (tests.organisation_a(), tests.org_admin_a()::text, 'org_admin'),
    (tests.organisation_b(), tests.coordinator_b()::text, 'coordinator'),
    (tests.organisation_a(), tests.coordinator_of_both()::text, 'coordinator'),
    (tests.organisation_b(), tests.coordinator_of_both()::text, 'coordinator')
on conflict do nothing;

reset role;
alter table public.organisations enable trigger pgtrail_capture_insert;
alter table public.organisation_members enable trigger pgtrail_capture_insert;

commit;
