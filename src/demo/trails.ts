import { SAMPLE_SPAN, type SampleEvent } from "./events.js";
import type { Organisation } from "./platform.js";
import { type Random, seededRandom, uuid4, uuid7 } from "./random.js";

/** An argument of public.record_hlf_sync_attempt, without its p_. What is absent is null. */
export interface SampleAttempt {
  id: string;
  organisation_id: string;
  mentor_id: string;
  sync_direction: "remove" | "restore";
  outcome: "success" | "retryable_failure" | "dead_letter";
  source: "status_transition" | "nightly_batch" | "force_sync";
  portal_response_code?: number;
  retry_count: number;
  error_code?: string;
  sync_job_id: string;
  requested_by?: string;
}

/** An argument of public.record_acknowledgement, without its p_. What is absent is null. */
export interface SampleAcknowledgement {
  id: string;
  organisation_id: string;
  coordinator_id: string;
  mentor_id: string;
  certificate_type: string;
  threshold_tier: "advance_60" | "warning_30" | "urgent_7" | "lapsed";
  notification_id: string;
  note?: string;
}

/** An argument of public.record_badge_evaluation, without its p_. What is absent is null. */
export interface SampleEvaluation {
  id: string;
  org_id: string;
  peer_mentor_id: string;
  duration_ms: number;
  activity_id?: string;
  badges_evaluated: string[];
  criteria_outcomes: Record<string, boolean>;
  badges_awarded: string[];
  error_message?: string;
}

/** What the other trails say of the history that the events tell. */
export interface SampleTrails {
  hlf_sync_audit_log: SampleAttempt[];
  coordinator_acknowledgement_audit: SampleAcknowledgement[];
  badge_evaluation_logs: SampleEvaluation[];
}

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** A retry waits ten times as long as the one before. */
const BACKOFF = [MINUTE, 10 * MINUTE, 100 * MINUTE];

/** How the website fails: response code, when it answers, and error, when that says more. */
const FAILURES = [
  { portal_response_code: 503 },
  { portal_response_code: 429 },
  { portal_response_code: 500 },
  { error_code: "portal.timeout" },
] as const;

/** Badge definitions and the number of activities that earns them. */
const BADGES = [
  { id: "b1000000-0000-4000-8000-000000000005", name: "first steps", activities: 5 },
  { id: "b1000000-0000-4000-8000-000000000015", name: "good listener", activities: 15 },
  { id: "b1000000-0000-4000-8000-000000000030", name: "steady support", activities: 30 },
  { id: "b1000000-0000-4000-8000-000000000060", name: "pillar", activities: 60 },
] as const;

const NOTES = ["Course is booked.", "Called, will renew.", "On leave until next month."];

/**
 * Entries of the other trails that go with the events of the platform: about 120 jobs that take
 * mentors off the website or put them back, with their retries, acknowledgements of half of the
 * reminders, and evaluations of badges. All lie within SAMPLE_SPAN from start, each trail is ordered by
 * id, and the same arguments give the same entries.
 */
export function sampleTrails(
  platform: readonly Organisation[],
  events: readonly SampleEvent[],
  seed: number,
  start: number,
): SampleTrails {
  const random = seededRandom(seed + 2);
  const until = start + SAMPLE_SPAN;
  const trails: SampleTrails = {
    hlf_sync_audit_log: [],
    coordinator_acknowledgement_audit: [],
    badge_evaluation_logs: [],
  };
  const activities = new Map<string, number>();
  const add = <Entry extends { id: string }>(
    entries: Entry[],
    at: number,
    entry: Omit<Entry, "id">,
  ) => {
    const time = Math.floor(at);
    if (time < until) entries.push({ id: uuid7(time, random), ...entry } as Entry);
  };

  for (const event of events) {
    const at = timeOf(event.id);
    const organisation = platform.find(({ id }) => id === event.organisation_id);
    if (!organisation) throw new Error("an event is of an organisation of the platform");

    if (event.action === "website.removed" || event.action === "website.restored") {
      for (const [later, attempt] of syncJob(event, organisation, random)) {
        add(trails.hlf_sync_audit_log, at + later, attempt);
      }
    } else if (
      event.action === "certificate.reminder_sent" ||
      event.action === "certificate.lapsed"
    ) {
      if (!random.chance(0.5)) continue;
      add(trails.coordinator_acknowledgement_audit, at + random.between(4, 12) * HOUR, {
        organisation_id: event.organisation_id,
        coordinator_id: random.pick(organisation.coordinators).id,
        mentor_id: event.entity_id,
        certificate_type: "peer mentor",
        threshold_tier: tierOf(event),
        notification_id: uuid4(random),
        ...(random.chance(0.2) ? { note: random.pick(NOTES) } : {}),
      });
    } else if (event.action === "activity.logged" && event.actor_id !== undefined) {
      const mentor = event.actor_id;
      const done = (activities.get(mentor) ?? 0) + 1;
      activities.set(mentor, done);
      // A small part of all evaluations; those that award a badge are all there.
      if (BADGES.some((badge) => badge.activities === done) || random.chance(0.03)) {
        add(trails.badge_evaluation_logs, at + 2 * SECOND, {
          org_id: event.organisation_id,
          peer_mentor_id: mentor,
          activity_id: event.entity_id,
          ...evaluation(done, random),
        });
      }
    }
  }

  for (const entries of Object.values(trails) as { id: string }[][]) {
    entries.sort((one, other) => (one.id < other.id ? -1 : 1));
  }
  return trails;
}

/** The attempts of a job, each with the milliseconds after its beginning. */
function syncJob(event: SampleEvent, organisation: Organisation, random: Random) {
  const job = {
    organisation_id: event.organisation_id,
    mentor_id: event.entity_id,
    sync_direction: event.action === "website.removed" ? ("remove" as const) : ("restore" as const),
  };
  const reason = event.details?.reason;
  const source =
    reason === "certificate lapsed" ? ("nightly_batch" as const) : ("status_transition" as const);
  const sync_job_id = uuid4(random);

  const attempts: [number, Omit<SampleAttempt, "id">][] = [];
  const failures = random.chance(0.75) ? 0 : random.integer(1, BACKOFF.length + 1);
  let later = 0;
  for (let retry = 0; retry < failures; retry += 1) {
    const last = retry === BACKOFF.length;
    attempts.push([
      later,
      {
        ...job,
        source,
        sync_job_id,
        outcome: last ? "dead_letter" : "retryable_failure",
        retry_count: retry,
        ...random.pick(FAILURES),
      },
    ]);
    later += BACKOFF[retry] ?? 0;
  }
  const success = { ...job, outcome: "success" as const, portal_response_code: 200 };
  if (failures <= BACKOFF.length) {
    attempts.push([later, { ...success, source, sync_job_id, retry_count: failures }]);
  } else {
    // What was given up is done by hand in the next days.
    attempts.push([
      later + random.between(8, 50) * HOUR,
      {
        ...success,
        source: "force_sync",
        sync_job_id: uuid4(random),
        retry_count: 0,
        requested_by: random.pick(organisation.coordinators).id,
      },
    ]);
  }
  return attempts;
}

function tierOf(event: SampleEvent): SampleAcknowledgement["threshold_tier"] {
  switch (event.details?.days_left) {
    case 60:
      return "advance_60";
    case 30:
      return "warning_30";
    case 7:
      return "urgent_7";
    default:
      return "lapsed";
  }
}

/** What an evaluation finds after so many activities. Now and then it fails. */
function evaluation(done: number, random: Random) {
  const duration_ms = random.integer(1, 60);
  const awarded = BADGES.filter(({ activities }) => activities === done);
  if (awarded.length === 0 && random.chance(0.05)) {
    return {
      duration_ms: duration_ms + 5_000,
      badges_evaluated: [],
      criteria_outcomes: {},
      badges_awarded: [],
      error_message: "criteria.timeout",
    };
  }
  return {
    duration_ms,
    badges_evaluated: BADGES.map(({ id }) => id),
    criteria_outcomes: Object.fromEntries(
      BADGES.map(({ id, activities }) => [id, done >= activities]),
    ),
    badges_awarded: awarded.map(({ id }) => id),
  };
}

function timeOf(id: string): number {
  return Number.parseInt(id.replace("-", "").slice(0, 12), 16);
}
