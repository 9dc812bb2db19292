-- Who belongs to which organisation, in which role. pgtrail reads it through pgtrail.membership alone.
--
-- A database that already has its own organisations or members keeps them: then the view starts empty
-- and the team puts its own query into it. The view is not among the replayed sources for that reason.
set role pgtrail_owner;

do $$
begin
    if to_regclass('public.organisations') is not null or to_regclass('public.organisation_members') is not null then
        create view pgtrail.membership as
        select null::text as user_id, null::uuid as organisation_id, null::text as role
        where false;
        return;
    end if;

    create table public.organisations (
        id          uuid primary key default gen_random_uuid(),
        name        text not null,
        created_at  timestamptz not null default now(),

        constraint name_has_1_to_200_characters check (char_length(name) between 1 and 200)
    );
    comment on table public.organisations is
        'Organisations (tenants). The all-zero id is the platform itself: entries that concern no single organisation carry it.';
    comment on column public.organisations.id is 'Identifier that entries and memberships refer to.';
    comment on column public.organisations.name is 'Name as people know it.';
    comment on column public.organisations.created_at is 'When the row was made.';

    create table public.organisation_members (
        organisation_id uuid not null references public.organisations (id),
        user_id         text not null,
        role            text not null,
        created_at      timestamptz not null default now(),

        primary key (organisation_id, user_id, role),
        constraint role_is_known check (role in ('peer_mentor', 'coordinator', 'chapter_admin', 'org_admin')),
        constraint user_id_has_1_to_255_characters check (char_length(user_id) between 1 and 255),
        constraint the_platform_has_no_members check (organisation_id <> '00000000-0000-0000-0000-000000000000')
    );
    create index organisation_members_user_id_idx on public.organisation_members (user_id);
    comment on table public.organisation_members is
        'Memberships. Coordinators, chapter_admins and org_admins read the trails of their organisation; removing the row ends that at once.';
    comment on column public.organisation_members.organisation_id is 'The organisation.';
    comment on column public.organisation_members.user_id is
        'Subject (sub) of the user''s token. Text: subjects of third-party identity providers are not always UUIDs.';
    comment on column public.organisation_members.role is 'peer_mentor, coordinator, chapter_admin or org_admin.';
    comment on column public.organisation_members.created_at is 'When the row was made.';

    alter table public.organisations enable row level security;
    alter table public.organisation_members enable row level security;
    revoke all on public.organisations, public.organisation_members
        from public, anon, authenticated, service_role, pgtrail_auditor;
    grant select on public.organisations, public.organisation_members to authenticated, pgtrail_auditor;
    grant select, insert, update, delete on public.organisations, public.organisation_members to service_role;

    insert into public.organisations (id, name) values ('00000000-0000-0000-0000-000000000000', 'Platform');

    create policy select_member on public.organisations for select to authenticated
        using (id in (select member.organisation_id from public.organisation_members as member));
    create policy select_auditor on public.organisations for select to pgtrail_auditor using (true);
    create policy all_service on public.organisations for all to service_role using (true) with check (true);
    create policy select_self on public.organisation_members for select to authenticated
        using (user_id = (select pgtrail.jwt_subject()));
    create policy select_auditor on public.organisation_members for select to pgtrail_auditor using (true);
    create policy all_service on public.organisation_members for all to service_role using (true) with check (true);

    create view pgtrail.membership as
    select user_id, organisation_id, role
    from public.organisation_members;
end;
$$;

revoke all on pgtrail.membership from public, anon, authenticated, service_role, pgtrail_auditor;
comment on view pgtrail.membership is
    'The one place where pgtrail reads memberships: (user_id text, organisation_id uuid, role text). '
    'A team with its own tables replaces this view. What it reads needs SELECT for pgtrail_owner and, under row level '
    'security, a policy "to pgtrail_owner using (true)": without it the view is empty without an error.';

reset role;
