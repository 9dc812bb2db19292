-- Whatever records errors adds a value for what it speaks of; the kinds of errors are those of pgtrail.safe_error().
create type pgtrail.error_context as enum ('database', 'job', 'request', 'other');
comment on type pgtrail.error_context is 'What an error was about: the first word of pgtrail.safe_error().';

create type pgtrail.log_position as (
    tx_id      xid8,
    trail_name text collate "C",
    entry_id   uuid
);
comment on type pgtrail.log_position is
    'A place in the order of an era: that of an entry or, without a trail_name, the one before all entries of the '
    'transaction. Entries are sealed by transaction, trail and id.';

create type pgtrail.purge_line as (
    trail_name   text,
    organisation uuid,
    entries      bigint,
    method       text,
    reason       text
);
comment on type pgtrail.purge_line is
    'What retention did with a month of a trail, or of an organisation in it. method is drop, delete, '
    'postponed or failed.';

-- Limits of single columns are domains: a session prepares the check of a domain once, that of a table on every
-- INSERT. Sixteen checks on the table cost as much as the insert itself.
create domain pgtrail.actor_id as text
    constraint actor_id_has_at_most_255_characters check (char_length(value) <= 255);
create domain pgtrail.actor_kind as text
    constraint actor_kind_is_known check (value in ('user', 'service', 'system', 'impersonated'));
create domain pgtrail.action as text
    constraint action_has_1_to_200_characters check (char_length(value) between 1 and 200);
create domain pgtrail.entity_type as text
    constraint entity_type_has_1_to_200_characters check (char_length(value) between 1 and 200);
create domain pgtrail.entity_id as text
    constraint entity_id_has_at_most_500_characters check (char_length(value) <= 500);
create domain pgtrail.user_agent as text
    constraint user_agent_has_at_most_1000_characters check (char_length(value) <= 1000);
create domain pgtrail.request_id as text
    constraint request_id_has_at_most_200_characters check (char_length(value) <= 200);
create domain pgtrail.trace_id as text
    constraint trace_id_has_at_most_200_characters check (char_length(value) <= 200);
create domain pgtrail.document as jsonb
    constraint document_has_at_most_64_kib check (pg_column_size(value) <= 65536);
comment on domain pgtrail.actor_id is 'Who acts: at most 255 characters.';
comment on domain pgtrail.actor_kind is 'user, service, system or impersonated.';
comment on domain pgtrail.action is 'What happens: 1 to 200 characters.';
comment on domain pgtrail.entity_type is 'Kind of a thing: 1 to 200 characters.';
comment on domain pgtrail.entity_id is 'Identifier of a thing: at most 500 characters.';
comment on domain pgtrail.user_agent is 'User agent of a client: at most 1000 characters.';
comment on domain pgtrail.request_id is 'Identifier of a request: at most 200 characters.';
comment on domain pgtrail.trace_id is 'Identifier of a distributed trace: at most 200 characters.';
comment on domain pgtrail.document is 'A JSON document of at most 64 KiB in its binary form.';
