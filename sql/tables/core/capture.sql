create table pgtrail.tracked_table (
    relation            regclass primary key,
    entity_type         pgtrail.entity_type not null unique,
    organisation_column name,
    excluded            name[] not null,
    redacted            name[] not null,
    on_failure          text not null,
    level               text not null,
    shape               text not null,
    tracked_at          timestamptz not null default clock_timestamp(),

    constraint on_failure_is_block_or_warn check (on_failure in ('block', 'warn')),
    constraint level_is_statement_or_row check (level in ('statement', 'row'))
);
comment on table pgtrail.tracked_table is
    'Tables whose changes are captured into audit_log. Written by pgtrail.track().';
comment on column pgtrail.tracked_table.entity_type is
    'entity_type of its entries: schema.table, as it was called when it was first tracked.';
comment on column pgtrail.tracked_table.organisation_column is
    'Column with the tenant, of type uuid; null: its entries belong to the platform.';
comment on column pgtrail.tracked_table.excluded is 'Columns that are not captured.';
comment on column pgtrail.tracked_table.redacted is 'Columns of which is captured that they changed, not what.';
comment on column pgtrail.tracked_table.on_failure is
    'block: when a change cannot be recorded, it does not happen. warn: it happens, and goes to pgtrail.failed_write.';
comment on column pgtrail.tracked_table.level is
    'Whether its triggers run after each statement or after each row, which partitions and logical replication need.';
comment on column pgtrail.tracked_table.shape is
    'What the trigger function was made for: see pgtrail._capture_shape().';
comment on column pgtrail.tracked_table.tracked_at is 'When the trigger function was made.';

create table pgtrail.failed_write (
    failed_write_id bigint generated always as identity primary key,
    failed_at       timestamptz not null default clock_timestamp(),
    entry           jsonb not null,
    sqlstate        text not null,
    message         text not null,
    replayed_at     timestamptz
);
comment on table pgtrail.failed_write is
    'Changes of tables tracked with on_failure warn that could not be recorded. pgtrail.replay_failed_writes() '
    'records them.';
comment on column pgtrail.failed_write.failed_write_id is 'Identifier, in the order of the changes.';
comment on column pgtrail.failed_write.failed_at is 'When recording failed first.';
comment on column pgtrail.failed_write.entry is
    'The entry as it should have been recorded; its id holds the time of the change.';
comment on column pgtrail.failed_write.sqlstate is 'Why, the last time: SQLSTATE.';
comment on column pgtrail.failed_write.message is 'Why, the last time: message.';
comment on column pgtrail.failed_write.replayed_at is 'When it was recorded after all.';

alter table pgtrail.tracked_table enable row level security;
alter table pgtrail.failed_write enable row level security;
revoke all on pgtrail.tracked_table, pgtrail.failed_write
    from public, anon, authenticated, service_role, pgtrail_auditor;
grant select on pgtrail.tracked_table, pgtrail.failed_write to pgtrail_auditor;
grant select on pgtrail.tracked_table to service_role;
