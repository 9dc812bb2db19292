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
