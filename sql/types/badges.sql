alter type pgtrail.error_context add value if not exists 'activity';
alter type pgtrail.error_context add value if not exists 'award';
alter type pgtrail.error_context add value if not exists 'criteria';
alter type pgtrail.error_context add value if not exists 'webhook';
-- Limits of single columns are domains, as in audit_log: cheaper on INSERT than checks of the table.
create domain pgtrail.badges as jsonb
    constraint badges_is_an_array_of_uuids check (pgtrail._is_array_of_uuids(value))
    constraint badges_has_at_most_64_kib check (pg_column_size(value) <= 65536);
comment on domain pgtrail.badges is
    'JSON array of badge definition ids (UUIDs as text), at most 64 KiB in its binary form.';
create domain pgtrail.outcomes as jsonb
    constraint outcomes_is_an_object_of_booleans
        check (pgtrail._is_object_of_booleans(value))
    constraint outcomes_has_at_most_64_kib check (pg_column_size(value) <= 65536);
comment on domain pgtrail.outcomes is
    'JSON object of booleans, by badge definition id, at most 64 KiB in its binary form.';
