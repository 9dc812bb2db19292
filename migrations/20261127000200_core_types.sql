-- Made of sql/ by `npm run db:build`; never edited.

set role pgtrail_owner;

-- Their owner does it, so that the migrating role need not be allowed to.
comment on schema pgtrail is 'Machinery of pgtrail: trail registry, guards, partitions. Not part of the exposed API.';
comment on schema pgtrail_partitions is
    'Monthly partitions of the trails. Nobody but the owner may use it: row level security and grants are not '
    'inherited.';
revoke all on schema pgtrail from public, anon;
revoke all on schema pgtrail_partitions from public, anon, authenticated, service_role, pgtrail_auditor;
grant usage on schema pgtrail to authenticated, service_role, pgtrail_auditor;
-- It owns functions there.
grant usage, create on schema pgtrail to pgtrail_purger;

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

-- The vocabulary is this function: the domain pgtrail.safe_error stores what it returns unchanged.
create or replace function pgtrail.safe_error(sqlstate text, context text default 'database')
    returns text
    language plpgsql stable parallel safe
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_contexts constant text[] := enum_range(null::pgtrail.error_context)::text[];
    c_kinds constant text[] := array[
        'cancelled', 'connection_lost', 'constraint_violated', 'deadlock', 'definition_error', 'failed',
        'internal_error', 'invalid_data', 'limit_exceeded', 'lock_timeout', 'not_found', 'out_of_resources',
        'permission_denied', 'rate_limited', 'refused', 'rejected', 'serialization_failure', 'timeout',
        'unauthorized', 'unavailable', 'unknown'];
    v_context text;
begin
    if safe_error.sqlstate is null then
        return null;
    end if;
    if split_part(safe_error.sqlstate, '.', 1) = any (v_contexts)
        and split_part(safe_error.sqlstate, '.', 2) = any (c_kinds)
        and safe_error.sqlstate
            = split_part(safe_error.sqlstate, '.', 1) || '.' || split_part(safe_error.sqlstate, '.', 2)
    then
        return safe_error.sqlstate;
    end if;

    v_context := case when safe_error.context = any (v_contexts) then safe_error.context else 'other' end;
    return v_context || '.' || case
        when safe_error.sqlstate in ('57014', '408', '504') then 'timeout'
        when safe_error.sqlstate = '55P03' then 'lock_timeout'
        when safe_error.sqlstate = '40P01' then 'deadlock'
        when safe_error.sqlstate = '40001' then 'serialization_failure'
        when safe_error.sqlstate in ('42501', '403') then 'permission_denied'
        when safe_error.sqlstate in ('401', '407') or safe_error.sqlstate ~ '^28[0-9A-Z]{3}$' then 'unauthorized'
        when safe_error.sqlstate in ('PT404', 'P0002', '404', '410') then 'not_found'
        when safe_error.sqlstate = '429' then 'rate_limited'
        when safe_error.sqlstate ~ '^4[0-9]{2}$' then 'rejected'
        when safe_error.sqlstate ~ '^5[0-9]{2}$' then 'unavailable'
        when safe_error.sqlstate ~ '^(08[0-9A-Z]{3}|57P0[0-9])$' then 'connection_lost'
        when safe_error.sqlstate ~ '^22[0-9A-Z]{3}$' then 'invalid_data'
        when safe_error.sqlstate ~ '^23[0-9A-Z]{3}$' then 'constraint_violated'
        when safe_error.sqlstate ~ '^42[0-9A-Z]{3}$' then 'definition_error'
        when safe_error.sqlstate ~ '^53[0-9A-Z]{3}$' then 'out_of_resources'
        when safe_error.sqlstate ~ '^54[0-9A-Z]{3}$' then 'limit_exceeded'
        when safe_error.sqlstate ~ '^57[0-9A-Z]{3}$' then 'cancelled'
        when safe_error.sqlstate ~ '^(58|F0|XX)[0-9A-Z]{3}$' then 'internal_error'
        when safe_error.sqlstate ~ '^(P0001|TR[0-9]{3})$' then 'refused'
        when safe_error.sqlstate ~ '^[0-9A-Z]{5}$' then 'failed'
        else 'unknown'
    end;
end;
$$;

revoke all on function pgtrail.safe_error from public, anon, authenticated, pgtrail_auditor;
grant execute on function pgtrail.safe_error to service_role;
comment on function pgtrail.safe_error is
    'Returns what went wrong in a fixed vocabulary, <context>.<kind>, such as database.timeout: safe to store and to '
    'show, whatever the error said. sqlstate is a SQLSTATE, an HTTP status, or a word of the vocabulary, which is '
    'returned as it is; of anything else the kind is unknown. context is one of '
    'pgtrail.error_context; of anything else it is other. Null for null.';

create domain pgtrail.safe_error as text
    constraint error_is_of_the_safe_vocabulary check (value is null or value = pgtrail.safe_error(value));
comment on domain pgtrail.safe_error is
    'What went wrong, in words of pgtrail.safe_error() and nothing else: <context>.<kind>.';

reset role;
