create table pgtrail.archive (
    trail_name  text not null references pgtrail.trail (trail_name),
    month       date not null,
    entries     bigint not null,
    tree_size   bigint not null,
    sha256      bytea not null,
    location    text not null,
    archived_at timestamptz not null default clock_timestamp(),

    primary key (trail_name, month),
    constraint month_is_its_first_day check (extract(day from month) = 1),
    constraint entries_is_positive check (entries > 0),
    constraint sha256_has_32_bytes check (octet_length(sha256) = 32)
);
revoke all on pgtrail.archive from public, anon, authenticated, service_role, pgtrail_auditor;
grant select on pgtrail.archive to pgtrail_auditor;
comment on table pgtrail.archive is
    'Months of trails that were written to a file and verified there. It stays when the month is dropped.';
comment on column pgtrail.archive.month is 'First day of the month (UTC) of the events.';
comment on column pgtrail.archive.entries is 'How many entries of it the database had.';
comment on column pgtrail.archive.tree_size is 'Size of the tree against which the file was verified.';
comment on column pgtrail.archive.sha256 is 'Digest of the file.';
comment on column pgtrail.archive.location is 'Where the file was put.';
comment on column pgtrail.archive.archived_at is 'When it was noted last.';
