alter type pgtrail.error_context add value if not exists 'portal';
create type public.sync_direction as enum ('remove', 'restore');
comment on type public.sync_direction is 'Whether a mentor is taken off the public website or put back.';
create type public.sync_outcome as enum ('success', 'retryable_failure', 'dead_letter');
comment on type public.sync_outcome is 'How an attempt ended: done, to be tried again, or given up.';
create type public.sync_source as enum (
    'status_transition', 'nightly_batch', 'reconciliation', 'force_sync', 'break_glass'
);
comment on type public.sync_source is 'What started an attempt.';
create domain pgtrail.http_status as int
    constraint http_status_is_100_to_599 check (value between 100 and 599);
comment on domain pgtrail.http_status is 'Status code of an HTTP response: 100 to 599.';
