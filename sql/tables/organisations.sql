-- Tenants and who belongs to them, for a database that has neither. One that has organisations or members of its own
-- keeps them, and its team puts a query over them into pgtrail.membership.
do $$
begin
    if to_regclass('public.organisations') is not null or to_regclass('public.organisation_members') is not null then
        return;
    end if;

    create table public.organisations (
        id          uuid primary key default gen_random_uuid(),
        name        text not null,
        created_at  timestamptz not null default now(),

        constraint name_has_1_to_200_characters check (char_length(name) between 1 and 200)
    );
    comment on table public.organisations is
        'Organisations (tenants). The all-zero id is the platform itself: entries that concern no single '
        'organisation carry it.';
    comment on column public.organisations.name is 'Name as people know it.';

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
        'Memberships. Coordinators, chapter_admins and org_admins read the trails of their organisation; removing '
        'the row ends that at once.';
    comment on column public.organisation_members.user_id is
        'Subject (sub) of the user''s token. Text: subjects of third-party identity providers are not always UUIDs.';
    comment on column public.organisation_members.role is
        'What the user is there. Which roles may read is in pgtrail.reader_role.';

    alter table public.organisations enable row level security;
    alter table public.organisation_members enable row level security;
    revoke all on public.organisations, public.organisation_members
        from public, anon, authenticated, service_role, pgtrail_auditor;
    grant select on public.organisations, public.organisation_members to authenticated, pgtrail_auditor;
    grant select, insert, update, delete on public.organisations, public.organisation_members to service_role;

    insert into public.organisations (id, name) values (pgtrail.platform_organisation(), 'Platform');

    create or replace view pgtrail.membership as
    select user_id, organisation_id, role
    from public.organisation_members;
end;
$$;

insert into pgtrail.reader_role (role) values ('coordinator'), ('chapter_admin'), ('org_admin');
