create table pgtrail.retention_policy (
    policy_id       uuid primary key default gen_random_uuid(),
    trail_name      text not null references pgtrail.trail (trail_name),
    organisation_id uuid,
    keep            interval,
    legal_basis     text,
    set_at          timestamptz not null default clock_timestamp(),
    set_by          text not null default session_user,

    constraint a_trail_has_one_policy_for_an_organisation unique nulls not distinct (trail_name, organisation_id)
);
revoke all on pgtrail.retention_policy from public, anon, authenticated, service_role, pgtrail_auditor;
grant select on pgtrail.retention_policy to pgtrail_auditor;
comment on table pgtrail.retention_policy is
    'How long entries are kept, by trail and organisation. A policy of an organisation takes the place of that of '
    'the trail; without any, entries are kept for ever.';
comment on column pgtrail.retention_policy.organisation_id is 'The tenant; null for all that have none of their own.';
comment on column pgtrail.retention_policy.keep is
    'How long, counted from the event or from when the database learned of it, whichever is later. Null: for ever.';
comment on column pgtrail.retention_policy.legal_basis is 'Why: the law, the contract or the decision.';
comment on column pgtrail.retention_policy.set_by is 'Who set it: the role that had logged in.';

create table pgtrail.retention_setting (
    only_row            boolean primary key default true,
    keep_at_least       interval not null default '30 days',
    max_partitions      int not null default 12,
    max_batches         int not null default 10,
    batch_size          int not null default 10000,
    archive_before_drop boolean not null default false,
    system_identifier   bigint not null,
    database_oid        oid not null,

    constraint there_is_one_row check (only_row),
    constraint keep_at_least_is_not_negative check (keep_at_least >= interval '0'),
    constraint limits_are_positive check (max_partitions > 0 and max_batches > 0 and batch_size > 0)
);
revoke all on pgtrail.retention_setting from public, anon, authenticated, service_role, pgtrail_auditor;
grant select on pgtrail.retention_setting to pgtrail_auditor;
comment on table pgtrail.retention_setting is 'Limits of retention, and the database that may apply it.';
comment on column pgtrail.retention_setting.keep_at_least is 'No policy is shorter, and nothing younger is removed.';
comment on column pgtrail.retention_setting.max_partitions is 'How many partitions a run drops at most.';
comment on column pgtrail.retention_setting.max_batches is 'How many batches of entries a run deletes at most.';
comment on column pgtrail.retention_setting.batch_size is 'How many entries a batch has at most.';
comment on column pgtrail.retention_setting.archive_before_drop is
    'Whether a partition is dropped only once pgtrail.archive has it.';
comment on column pgtrail.retention_setting.system_identifier is 'Cluster in which retention was enabled.';
comment on column pgtrail.retention_setting.database_oid is
    'Database in which retention was enabled. A copy has another and removes nothing until enable_retention().';
insert into pgtrail.retention_setting (system_identifier, database_oid)
select control.system_identifier, pg_database.oid
from pg_control_system() as control
join pg_catalog.pg_database on datname = current_database();

create table pgtrail.legal_hold (
    hold_id         uuid primary key default gen_random_uuid(),
    organisation_id uuid,
    trail_name      text references pgtrail.trail (trail_name),
    from_at         timestamptz,
    to_at           timestamptz,
    reason          text not null,
    placed_at       timestamptz not null default clock_timestamp(),
    placed_by       text not null default session_user,
    released_at     timestamptz,
    released_by     text,
    release_reason  text,

    constraint period_is_not_empty check (from_at < to_at),
    constraint a_release_has_a_reason check (num_nonnulls(released_at, released_by, release_reason) in (0, 3))
);
create index legal_hold_trail_name_idx on pgtrail.legal_hold (trail_name);
revoke all on pgtrail.legal_hold from public, anon, authenticated, service_role, pgtrail_auditor;
grant select on pgtrail.legal_hold to pgtrail_auditor;
comment on table pgtrail.legal_hold is 'What may not be removed or erased, whatever the policies say.';
comment on column pgtrail.legal_hold.organisation_id is 'The tenant; null for all.';
comment on column pgtrail.legal_hold.trail_name is 'The trail; null for all.';
comment on column pgtrail.legal_hold.from_at is 'Events from then on; null for all before to_at.';
comment on column pgtrail.legal_hold.to_at is 'Events before then; null for all from from_at on.';
comment on column pgtrail.legal_hold.placed_by is 'Who placed it: the role that had logged in.';
comment on column pgtrail.legal_hold.released_at is 'When it ended; null while it holds.';

create table pgtrail.purge_run (
    run_id      uuid primary key default pgtrail.uuid7(),
    as_of       timestamptz not null,
    started_at  timestamptz not null default clock_timestamp(),
    finished_at timestamptz not null,
    entries     bigint not null,
    failures    int not null,
    results     jsonb not null
);
revoke all on pgtrail.purge_run from public, anon, authenticated, service_role, pgtrail_auditor;
grant select on pgtrail.purge_run to pgtrail_auditor;
comment on table pgtrail.purge_run is 'Runs of apply_retention, also those that removed nothing.';
comment on column pgtrail.purge_run.as_of is 'The time for which it was asked what is due.';
comment on column pgtrail.purge_run.entries is 'How many entries it removed.';
comment on column pgtrail.purge_run.failures is 'How many parts of it failed or had to wait for the next run.';
comment on column pgtrail.purge_run.results is
    'What apply_retention returned: [{trail_name, organisation, entries, method, reason}].';
