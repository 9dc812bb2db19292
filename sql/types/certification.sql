alter type pgtrail.error_context add value if not exists 'certificate';
alter type pgtrail.error_context add value if not exists 'notification';
create type public.threshold_tier as enum ('advance_60', 'warning_30', 'urgent_7', 'lapsed');
comment on type public.threshold_tier is 'How near a certificate is to its end: 60, 30, 7 days, or past it.';
-- Limits of single columns are domains, as in audit_log: cheaper on INSERT than checks of the table.
create domain pgtrail.certificate_type as text
    constraint certificate_type_has_1_to_200_characters check (char_length(value) between 1 and 200);
comment on domain pgtrail.certificate_type is 'Kind of a certificate: 1 to 200 characters.';
create domain pgtrail.note as text
    constraint note_has_at_most_2000_characters check (char_length(value) <= 2000);
comment on domain pgtrail.note is 'Free text: at most 2000 characters.';
