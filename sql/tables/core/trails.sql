create table pgtrail.trail (
    trail_name          text primary key,
    relation            regclass not null,
    organisation_column name not null,
    time_column         name not null,
    erasable            name[] not null default '{}',
    digested            name[] not null default '{}',
    registered_at       timestamptz not null default clock_timestamp(),
    bucket              text,

    constraint relation_is_registered_once unique (relation),
    -- Partitions are named <trail>_<yyyy>_<mm> and an identifier has at most 63 bytes.
    constraint trail_name_leaves_room_for_partition_names check (octet_length(trail_name) <= 55)
);
revoke all on pgtrail.trail from public, anon, authenticated, service_role, pgtrail_auditor;
grant select on pgtrail.trail to pgtrail_auditor;
comment on table pgtrail.trail is 'Registry of trails, written by pgtrail.create_trail.';
comment on column pgtrail.trail.trail_name is
    'Name of the relation without its schema: the tag of its entries in the log and the prefix of its partitions.';
comment on column pgtrail.trail.relation is 'The partitioned table.';
comment on column pgtrail.trail.organisation_column is 'Column that holds the tenant of an entry.';
comment on column pgtrail.trail.time_column is
    'Generated column that shows the time of the event, which is the time inside the id.';
comment on column pgtrail.trail.erasable is
    'Columns whose value may be erased while the proof of the entry stays valid.';
comment on column pgtrail.trail.digested is 'Columns that enter the log as a digest because they can be large.';
comment on column pgtrail.trail.registered_at is 'When create_trail registered it first.';
comment on column pgtrail.trail.bucket is
    'SQL expression over the row "entry": what summaries of the trail count by. Null: one number for all. Set by '
    'set_summary().';
