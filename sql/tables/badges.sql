create table public.badge_evaluation_logs (
    id                uuid not null default pgtrail.uuid7(),
    triggered_at      timestamptz generated always as (pgtrail.uuid7_time(id)) stored,
    org_id            uuid not null,
    peer_mentor_id    uuid not null,
    activity_id       uuid,
    badges_evaluated  pgtrail.badges not null default '[]',
    criteria_outcomes pgtrail.outcomes not null default '{}',
    badges_awarded    uuid[] not null default '{}',
    error_message     pgtrail.safe_error,
    duration_ms       int not null,
    recorded_at       timestamptz not null default clock_timestamp(),
    era               smallint not null default 0,
    tx_id             xid8 not null default pg_current_xact_id(),

    primary key (id),
    constraint duration_ms_is_1_or_more check (duration_ms >= 1),
    constraint awarded_badges_were_evaluated_as_true check (
        badges_awarded = '{}'
        or pgtrail._is_awarded_by_outcomes(badges_awarded, badges_evaluated, criteria_outcomes))
) partition by range (id);

-- "What was evaluated in this organisation?" and "for this mentor?"
create index idx_eval_logs_org on public.badge_evaluation_logs (org_id, id);
create index idx_eval_logs_mentor on public.badge_evaluation_logs (peer_mentor_id, id);

comment on table public.badge_evaluation_logs is
    'Runs of the evaluation of badges: one row a run, append-only. Write with record_badge_evaluation, read with '
    'get_badge_evaluation_logs.';
comment on column public.badge_evaluation_logs.id is
    'UUIDv7 of the time of the run. The same id sent again is the same entry.';
comment on column public.badge_evaluation_logs.triggered_at is
    'Time of the run, taken from the id, to the millisecond.';
comment on column public.badge_evaluation_logs.peer_mentor_id is 'Whose badges were evaluated.';
comment on column public.badge_evaluation_logs.activity_id is
    'The activity that triggered the run; null for a reconciliation.';
comment on column public.badge_evaluation_logs.badges_evaluated is
    'JSON array of the badge definitions that were checked.';
comment on column public.badge_evaluation_logs.criteria_outcomes is
    'JSON object: badge definition -> whether its criteria are met.';
comment on column public.badge_evaluation_logs.badges_awarded is 'Badges that the run newly awarded.';
comment on column public.badge_evaluation_logs.error_message is 'What went wrong, as pgtrail.safe_error says it.';
comment on column public.badge_evaluation_logs.duration_ms is 'How long the run took, in milliseconds, rounded up.';
comment on column public.badge_evaluation_logs.recorded_at is
    'When the database learned of the event. Set by the database.';
comment on column public.badge_evaluation_logs.era is
    'Raised after a restore into another cluster. Set by the database.';
comment on column public.badge_evaluation_logs.tx_id is 'Transaction that wrote the entry. Set by the database.';
