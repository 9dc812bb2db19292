-- The view is not replayed, since a team replaces it by a query over its own tables: the next layer does so where there
-- are none.
create view pgtrail.membership as
select null::text as user_id, null::uuid as organisation_id, null::text as role
where false;
revoke all on pgtrail.membership from public, anon, authenticated, service_role, pgtrail_auditor;
comment on view pgtrail.membership is
    'The one place where pgtrail reads memberships: (user_id text, organisation_id uuid, role text). '
    'A team with its own tables replaces this view. What it reads needs SELECT for pgtrail_owner and, under row level '
    'security, a policy "to pgtrail_owner using (true)": without it the view is empty without an error.';

create table pgtrail.reader_role (
    role text primary key
);
revoke all on pgtrail.reader_role from public, anon, authenticated, service_role, pgtrail_auditor;
grant select on pgtrail.reader_role to pgtrail_auditor;
comment on table pgtrail.reader_role is
    'Roles of pgtrail.membership that may read the entries of their organisation. Written by set_reader_roles().';
