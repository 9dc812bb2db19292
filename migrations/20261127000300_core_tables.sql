-- Made of sql/ by `npm run db:build`; never edited.

set role pgtrail_owner;

create or replace function pgtrail._greatest_id()
    returns uuid
    language plpgsql immutable parallel safe
    set search_path = pg_catalog, pg_temp
as $$
begin
    return 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid;
end;
$$;

revoke all on function pgtrail._greatest_id from public, anon;
grant execute on function pgtrail._greatest_id to authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._greatest_id is 'Returns the UUID that lies behind the id of every entry.';

create or replace function pgtrail._least_id()
    returns uuid
    language plpgsql immutable parallel safe
    set search_path = pg_catalog, pg_temp
as $$
begin
    return '00000000-0000-0000-0000-000000000000'::uuid;
end;
$$;

revoke all on function pgtrail._least_id from public, anon;
grant execute on function pgtrail._least_id to authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._least_id is 'Returns the UUID that lies before the id of every entry.';

create or replace function pgtrail._refuse_time(at timestamptz)
    returns uuid
    language plpgsql immutable strict parallel safe
    set search_path = pg_catalog, pg_temp
as $$
begin
    raise exception 'time % does not fit into a UUIDv7', _refuse_time.at
        using errcode = 'datetime_field_overflow',
              hint = 'Give a time from 1970 on and before the year 10889.';
end;
$$;

revoke all on function pgtrail._refuse_time from public, anon;
grant execute on function pgtrail._refuse_time to authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._refuse_time is 'Raises 22008: for times that pgtrail.uuid7 cannot hold.';

-- Definer: writers may not look at pgtrail_partitions.
create or replace function pgtrail.event_id(trail regclass, id uuid, at timestamptz)
    returns uuid
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_id uuid := event_id.id;
    v_at timestamptz;
begin
    if v_id is null then
        v_id := pgtrail.uuid7(coalesce(event_id.at, clock_timestamp()));
        -- The common case, an event of this moment, needs no further look.
        if event_id.at is null then
            return v_id;
        end if;
    elsif get_byte(uuid_send(v_id), 6) >> 4 <> 7 then
        raise exception 'the id of an entry must be a UUIDv7'
            using errcode = 'invalid_parameter_value',
                  detail = format('got %s', v_id),
                  hint = 'Make the id with pgtrail.uuid7(<time of the event>) or with a UUIDv7 library, or send none.';
    end if;

    v_at := pgtrail.uuid7_time(v_id);

    if event_id.at is not null and v_at <> date_trunc('milliseconds', event_id.at) then
        raise exception 'the id and the time of the event contradict each other'
            using errcode = 'invalid_parameter_value',
                  detail = format('the id says %s, the time says %s', v_at, event_id.at),
                  hint = 'The time inside the id is the time of the event: send only one of the two.';
    end if;

    if v_at > clock_timestamp() + interval '5 minutes' then
        raise exception 'the event lies in the future'
            using errcode = 'check_violation',
                  detail = format('its time is %s, the database clock says %s', v_at, clock_timestamp()),
                  hint = 'An event may be at most 5 minutes ahead. Check the clock of the sender.';
    end if;

    if not exists (
        select
        from pg_catalog.pg_inherits as inheritance
        join pg_catalog.pg_class as partition on partition.oid = inheritance.inhrelid
        join pg_catalog.pg_class as parent on parent.oid = inheritance.inhparent
        where inheritance.inhparent = event_id.trail
            and partition.relname = parent.relname || to_char(v_at at time zone 'UTC', '_YYYY_MM')
    ) then
        raise exception '% keeps no entries of %', event_id.trail, to_char(v_at at time zone 'UTC', 'YYYY-MM')
            using errcode = 'check_violation',
                  hint = 'Before older events, call prepare_audit_backfill(<trail>, <oldest time>).';
    end if;

    return v_id;
end;
$$;

revoke all on function pgtrail.event_id from public, anon, authenticated, pgtrail_auditor;
grant execute on function pgtrail.event_id to service_role;
comment on function pgtrail.event_id is
    'Returns the id under which an event is recorded: the given UUIDv7, or a new one of the given time, or of now. '
    'Raises 22023 when the id is no UUIDv7 or contradicts the time, 23514 when the event lies more than 5 minutes '
    'ahead or in a month for which the trail has no partition.';

create or replace function pgtrail.platform_organisation()
    returns uuid
    language plpgsql immutable parallel safe
    set search_path = pg_catalog, pg_temp
as $$
begin
    return '00000000-0000-0000-0000-000000000000'::uuid;
end;
$$;

revoke all on function pgtrail.platform_organisation from public, anon;
grant execute on function pgtrail.platform_organisation to authenticated, service_role, pgtrail_auditor;
comment on function pgtrail.platform_organisation is
    'Returns the all-zero organisation: the platform itself, which entries that concern no single tenant carry.';

-- One body for all versions of Postgres: uuidv7() of 18 takes an interval to shift by, not a time.
-- Millisecond time in the first 48 bits, version 7, then the microseconds within the millisecond
-- scaled to 12 bits (RFC 9562, section 5.7 and method 3 of 6.2), then 62 random bits.
-- plpgsql, because an SQL body would be inlined into the column default and planned again on every insert. One
-- expression, because each expression of a function is set up anew in every transaction.
create or replace function pgtrail.uuid7(at timestamptz default clock_timestamp())
    returns uuid
    language plpgsql volatile strict parallel safe
    set search_path = pg_catalog, pg_temp
as $$
begin
    return case
        when uuid7.at >= timestamptz '1970-01-01 00:00:00+00' and uuid7.at < timestamptz '10889-01-01 00:00:00+00'
        then encode(
            overlay(
                uuid_send(gen_random_uuid())
                placing int8send(
                    ((extract(epoch from uuid7.at) * 1000000)::bigint / 1000 << 16)
                    | 28672
                    | (((extract(epoch from uuid7.at) * 1000000)::bigint % 1000 << 12) / 1000))
                from 1),
            'hex')::uuid
        else pgtrail._refuse_time(uuid7.at)
    end;
end;
$$;

revoke all on function pgtrail.uuid7 from public, anon;
grant execute on function pgtrail.uuid7 to authenticated, service_role, pgtrail_auditor;
comment on function pgtrail.uuid7 is
    'Makes a UUIDv7 (RFC 9562) of the given time, which must lie between 1970 and the year 10889 (else 22008). '
    'Ids of one process sort by time to about a quarter of a microsecond.';

-- Times are rounded up to the next whole millisecond, so that for every v7 id and every time
-- id >= uuid7_floor(at) says the same as uuid7_time(id) >= at.
create or replace function pgtrail.uuid7_floor(at timestamptz)
    returns uuid
    language plpgsql immutable strict parallel safe
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_milliseconds numeric := ceil(extract(epoch from uuid7_floor.at) * 1000);
begin
    return encode(
        int8send((least(greatest(v_milliseconds, 0), 281474976710655)::bigint << 16) | 28672)
        || '\x8000000000000000'::bytea,
        'hex'
    )::uuid;
end;
$$;

revoke all on function pgtrail.uuid7_floor from public, anon;
grant execute on function pgtrail.uuid7_floor to authenticated, service_role, pgtrail_auditor;
comment on function pgtrail.uuid7_floor is
    'Returns the smallest UUIDv7 whose time is not before the given time: the bound of partitions, '
    'date filters and purges. Times that no UUIDv7 has (before 1970, infinity) give the nearest one that has.';

-- plpgsql: the expression of a stored generated column is planned again on every INSERT statement,
-- so what it calls must not be an SQL function that can be inlined.
create or replace function pgtrail.uuid7_time(id uuid)
    returns timestamptz
    language plpgsql immutable strict parallel safe
    set search_path = pg_catalog, pg_temp
as $$
begin
    return to_timestamp(
        ('x' || encode(substr(uuid_send(uuid7_time.id), 1, 6), 'hex'))::bit(48)::bigint / 1000.0::float8);
end;
$$;

revoke all on function pgtrail.uuid7_time from public, anon;
grant execute on function pgtrail.uuid7_time to authenticated, service_role, pgtrail_auditor, pgtrail_purger;
comment on function pgtrail.uuid7_time is
    'Returns the time of a UUIDv7 (RFC 9562), to the millisecond. Of any other UUID the result means nothing.';

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

-- The log: one RFC 6962 Merkle tree over the entries of all trails, kept as tiles.
--
-- Every table is keyed by log_id first: a database has one log, number 1, and transaction ids have no order
-- across databases. Entries are ordered by (era, tx_id, trail_name, id).

create table pgtrail.log (
    log_id            int primary key,
    origin            text not null,
    tree_size         bigint not null default 0,
    root              bytea not null default sha256(''),
    era               smallint not null default 0,
    tx_id             xid8 not null default '0',
    trail_name        text collate "C" not null default '',
    entry_id          uuid not null default '00000000-0000-0000-0000-000000000000',
    system_identifier bigint not null,
    sealed_at         timestamptz not null default clock_timestamp(),
    verified_at       timestamptz,
    verified_leaf     bigint not null default 0,
    maintained_at     timestamptz,

    constraint tree_size_is_not_negative check (tree_size >= 0),
    constraint root_is_a_sha256 check (octet_length(root) = 32),
    constraint origin_is_a_key_name check (origin ~ '^[^\s+]{1,200}$')
);
revoke all on pgtrail.log from public, anon, authenticated, service_role, pgtrail_auditor;
grant select on pgtrail.log to pgtrail_auditor;
comment on table pgtrail.log is 'The log, its head and how far sealing and verification have come.';
comment on column pgtrail.log.log_id is 'Number of the log: 1.';
comment on column pgtrail.log.origin is
    'First line of its checkpoints (C2SP tlog-checkpoint) and name of its signing key. No space, no plus.';
comment on column pgtrail.log.tree_size is 'Number of leaves.';
comment on column pgtrail.log.root is 'Root hash of the tree (RFC 6962, section 2.1).';
comment on column pgtrail.log.era is 'Raised after a restore into another cluster, where transaction ids start low.';
comment on column pgtrail.log.tx_id is 'With era, trail_name and entry_id: every entry up to this position is sealed.';
comment on column pgtrail.log.system_identifier is 'Cluster that the transaction ids of this era belong to.';
comment on column pgtrail.log.sealed_at is 'When seal() last ran to its end.';
comment on column pgtrail.log.verified_at is 'When verify_slice() last ran to its end.';
comment on column pgtrail.log.verified_leaf is 'Where verify_slice() goes on.';
comment on column pgtrail.log.maintained_at is 'When maintain() last ended.';

create table pgtrail.tile (
    log_id     int not null references pgtrail.log (log_id),
    level      smallint not null,
    tile_index bigint not null,
    hashes     bytea not null,

    primary key (log_id, level, tile_index),
    constraint hashes_are_1_to_256_sha256
        check (octet_length(hashes) between 32 and 8192 and octet_length(hashes) % 32 = 0)
);
-- Hashes do not compress, and an external value can be read in slices.
alter table pgtrail.tile alter column hashes set storage external;
revoke all on pgtrail.tile from public, anon, authenticated, service_role, pgtrail_auditor;
grant select on pgtrail.tile to pgtrail_auditor;
comment on table pgtrail.tile is
    'Tiles of C2SP tlog-tiles: tile n of level l holds the hashes of the subtrees of 256^l leaves number 256 n to '
    '256 n + 255.';
comment on column pgtrail.tile.level is '0: hashes of leaves; l: hashes of full tiles of level l - 1.';
comment on column pgtrail.tile.tile_index is 'Number of the tile in its level, from 0.';
comment on column pgtrail.tile.hashes is
    '1 to 256 hashes of 32 bytes. A tile of less than 256 is a prefix of what it will be.';

create table pgtrail.batch (
    log_id          int not null references pgtrail.log (log_id),
    first_leaf      bigint not null,
    entries         int not null,
    root            bytea not null,
    era             smallint not null,
    from_tx_id      xid8 not null,
    from_trail_name text collate "C" not null,
    from_entry_id   uuid not null,
    to_tx_id        xid8 not null,
    to_trail_name   text collate "C" not null,
    to_entry_id     uuid not null,
    sealed_at       timestamptz not null default clock_timestamp(),

    primary key (log_id, first_leaf),
    constraint entries_is_positive check (entries > 0),
    constraint root_is_a_sha256 check (octet_length(root) = 32)
);
create index batch_position_idx on pgtrail.batch (log_id, era, to_tx_id, to_trail_name, to_entry_id);
revoke all on pgtrail.batch from public, anon, authenticated, service_role, pgtrail_auditor;
grant select on pgtrail.batch to pgtrail_auditor;
comment on table pgtrail.batch is
    'Leaves that were sealed together: the entries behind the position from and up to the position to, in order.';
comment on column pgtrail.batch.first_leaf is 'Index of its first leaf.';
comment on column pgtrail.batch.entries is 'Number of its leaves.';
comment on column pgtrail.batch.root is 'Root hash of the tree that ends with it.';
comment on column pgtrail.batch.era is 'Era of its entries.';
comment on column pgtrail.batch.from_tx_id is 'Position of the last entry before it.';
comment on column pgtrail.batch.to_tx_id is
    'Position of its last entry, or of the watermark when nothing was left behind that.';
comment on column pgtrail.batch.to_trail_name is
    'See to_tx_id. Empty when the position is a watermark: no entry lies there.';

create table pgtrail.batch_content (
    log_id     int not null,
    first_leaf bigint not null,
    trail_name text not null references pgtrail.trail (trail_name),
    month      date not null,
    entries    int not null,
    purged     int not null default 0,
    version    smallint not null,

    primary key (log_id, first_leaf, trail_name, month),
    foreign key (log_id, first_leaf) references pgtrail.batch (log_id, first_leaf),
    constraint entries_is_positive check (entries > 0),
    constraint purged_is_at_most_entries check (purged between 0 and entries)
);
create index batch_content_trail_name_month_idx on pgtrail.batch_content (trail_name, month);
revoke all on pgtrail.batch_content from public, anon, authenticated, service_role, pgtrail_auditor;
grant select on pgtrail.batch_content to pgtrail_auditor;
comment on table pgtrail.batch_content is
    'How many entries of which partition a batch has, and how many of them a retention policy removed: what tells a '
    'purge from tampering.';
comment on column pgtrail.batch_content.month is 'First day of the month (UTC) of the events.';
comment on column pgtrail.batch_content.entries is 'Entries that were sealed.';
comment on column pgtrail.batch_content.purged is 'Entries of them that were removed under a policy.';
comment on column pgtrail.batch_content.version is 'Version of the entry format in which they were sealed.';

create table pgtrail.entry_format (
    trail_name text not null references pgtrail.trail (trail_name),
    version    smallint not null,
    columns    name[] not null,
    erasable   name[] not null,
    digested   name[] not null,

    primary key (trail_name, version),
    constraint version_is_positive check (version > 0)
);
revoke all on pgtrail.entry_format from public, anon, authenticated, service_role, pgtrail_auditor;
grant select on pgtrail.entry_format to pgtrail_auditor;
comment on table pgtrail.entry_format is
    'What the entry of a trail consists of, by version. A column that is added later makes a new version for later '
    'entries.';
comment on column pgtrail.entry_format.version is 'Number behind the trail''s name in the entry: <trail>/<version>.';
comment on column pgtrail.entry_format.columns is 'Columns in the order in which the entry holds them.';
comment on column pgtrail.entry_format.erasable is 'Those that enter as a salted commitment.';
comment on column pgtrail.entry_format.digested is 'Those that enter as a digest.';

create table pgtrail.late_entry (
    log_id     int not null,
    leaf_index bigint not null,
    trail_name text not null references pgtrail.trail (trail_name),
    entry_id   uuid not null,
    reason     text not null,

    primary key (log_id, leaf_index),
    constraint an_entry_is_sealed_once unique (trail_name, entry_id)
);
revoke all on pgtrail.late_entry from public, anon, authenticated, service_role, pgtrail_auditor;
grant select on pgtrail.late_entry to pgtrail_auditor;
comment on table pgtrail.late_entry is
    'Entries that were sealed behind their position: written after a restore into another cluster and before it was '
    'noticed.';

create table pgtrail.unsealable_entry (
    trail_name text not null references pgtrail.trail (trail_name),
    entry_id   uuid not null,
    sqlstate   text not null,
    reason     text not null,
    found_at   timestamptz not null default clock_timestamp(),

    primary key (trail_name, entry_id)
);
revoke all on pgtrail.unsealable_entry from public, anon, authenticated, service_role, pgtrail_auditor;
grant select on pgtrail.unsealable_entry to pgtrail_auditor;
comment on table pgtrail.unsealable_entry is
    'Entries that cannot be encoded. They were set aside so that the rest could be sealed; health() reports them.';
comment on column pgtrail.unsealable_entry.sqlstate is 'What the encoding raised.';

create table pgtrail.erasure (
    trail_name  text not null references pgtrail.trail (trail_name),
    entry_id    uuid not null,
    column_name name not null,
    commitment  bytea,
    salt        bytea,
    erased_at   timestamptz not null default clock_timestamp(),
    reason      text,

    primary key (trail_name, entry_id, column_name),
    constraint a_column_has_a_commitment_or_a_salt check (num_nonnulls(commitment, salt) = 1)
);
revoke all on pgtrail.erasure from public, anon, authenticated, service_role, pgtrail_auditor;
grant select on pgtrail.erasure to pgtrail_auditor;
comment on table pgtrail.erasure is
    'What keeps the proof of an entry valid when a column of it was erased: for the erased column its commitment, '
    'for the other erasable columns their salts.';
comment on column pgtrail.erasure.commitment is 'Of an erased column: sha256(salt || value), as the log has it.';
comment on column pgtrail.erasure.salt is
    'Of a column that is still there: sha256(salt of the row || name of the column).';

create table pgtrail.origin (
    log_id     int not null references pgtrail.log (log_id),
    from_size  bigint not null,
    origin     text not null,
    reason     text not null,
    started_at timestamptz not null default clock_timestamp(),

    primary key (log_id, origin)
);
revoke all on pgtrail.origin from public, anon, authenticated, service_role, pgtrail_auditor;
grant select on pgtrail.origin to pgtrail_auditor;
comment on table pgtrail.origin is
    'Origins that the log has had. A new one begins when the old one''s checkpoints no longer fit.';
comment on column pgtrail.origin.from_size is 'Size of the tree when it began.';

create table pgtrail.published_checkpoint (
    log_id       int not null references pgtrail.log (log_id),
    origin       text not null,
    tree_size    bigint not null,
    root         bytea not null,
    note         text not null,
    published_at timestamptz not null default clock_timestamp(),

    primary key (log_id, origin, tree_size),
    constraint tree_size_is_not_negative check (tree_size >= 0),
    constraint root_is_a_sha256 check (octet_length(root) = 32)
);
revoke all on pgtrail.published_checkpoint from public, anon, authenticated, service_role, pgtrail_auditor;
grant select on pgtrail.published_checkpoint to pgtrail_auditor;
comment on table pgtrail.published_checkpoint is
    'Checkpoints that were signed outside the database, with every signature that came in.';
comment on column pgtrail.published_checkpoint.origin is 'The origin that signed it.';
comment on column pgtrail.published_checkpoint.note is
    'The C2SP signed note, with the signatures of log and witnesses.';
comment on column pgtrail.published_checkpoint.published_at is 'When it was recorded first.';

insert into pgtrail.log (log_id, origin, system_identifier)
select 1, 'pgtrail/' || gen_random_uuid(), system_identifier from pg_control_system();
insert into pgtrail.origin (log_id, from_size, origin, reason)
select log_id, 0, origin, 'the log was created' from pgtrail.log;

-- Only sealing and recounting write here: to check a foreign key to pgtrail.trail cost them a third of that.
create table pgtrail.rollup (
    trail_name      text not null,
    organisation_id uuid not null,
    unit            text not null,
    starts_at       timestamptz not null,
    bucket          text not null,
    entries         bigint not null,
    last_at         timestamptz not null,

    primary key (trail_name, organisation_id, unit, starts_at, bucket),
    constraint unit_is_hour_or_month check (unit in ('hour', 'month')),
    constraint entries_is_positive check (entries > 0)
)
-- The same row is counted up again and again, and is the only version that anybody reads.
with (fillfactor = 80);
-- Retention asks each day which months are old enough for a policy, of whatever organisation.
create index rollup_trail_name_starts_at_organisation_id_idx on pgtrail.rollup (trail_name, starts_at, organisation_id)
    where unit = 'month';
alter table pgtrail.rollup enable row level security;
revoke all on pgtrail.rollup from public, anon, authenticated, service_role, pgtrail_auditor;
grant select on pgtrail.rollup to authenticated, service_role, pgtrail_auditor;
comment on table pgtrail.rollup is
    'Counts of entries by organisation, hour or month (UTC) of the event, and bucket. Kept by seal(): an entry is '
    'counted here once its seal has passed it, and live until then.';
comment on column pgtrail.rollup.unit is 'hour or month. Every entry is in one of each.';
comment on column pgtrail.rollup.starts_at is 'Beginning of the hour or month.';
comment on column pgtrail.rollup.last_at is 'Time of the newest event among them.';

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

create table pgtrail.alert (
    alert_id        uuid primary key default pgtrail.uuid7(),
    severity        text not null,
    kind            text not null,
    organisation_id uuid,
    payload         jsonb not null default '{}',
    raised_at       timestamptz not null default clock_timestamp(),
    resolved_at     timestamptz,

    constraint severity_is_warning_or_critical check (severity in ('warning', 'critical'))
);
create unique index alert_is_open_once on pgtrail.alert (kind, organisation_id) nulls not distinct
    where resolved_at is null;
revoke all on pgtrail.alert from public, anon, authenticated, service_role, pgtrail_auditor;
grant select on pgtrail.alert to service_role, pgtrail_auditor;
comment on table pgtrail.alert is 'What operations must look at. One open alert a kind and organisation.';
comment on column pgtrail.alert.alert_id is 'The alert; pg_notify(pgtrail_alert) carries it.';
comment on column pgtrail.alert.kind is 'What it is about, such as a check of health().';
comment on column pgtrail.alert.payload is 'Details, without personal data.';
comment on column pgtrail.alert.raised_at is 'When it was raised first.';
comment on column pgtrail.alert.resolved_at is 'When it was over; null while it is not.';

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

reset role;
