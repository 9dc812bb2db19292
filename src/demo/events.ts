import type { Organisation, Person } from "./platform.js";
import { type Random, seededRandom, uuid4, uuid7 } from "./random.js";

/** An argument of public.record_audit_event, without its p_. What is absent is null. */
export interface SampleEvent {
  id: string;
  organisation_id: string;
  action: string;
  entity_type: string;
  entity_id: string;
  actor_id?: string;
  actor_kind: "user" | "service" | "system" | "impersonated";
  impersonator_id?: string;
  changes?: Record<string, { old: unknown; new: unknown }>;
  details?: Record<string, unknown>;
  ip_address?: string;
  user_agent?: string;
  request_id?: string;
}

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** How long the sample history is, in milliseconds: 18 months. */
export const SAMPLE_SPAN = 548 * DAY;

/**
 * About 10,000 events of the platform from start (milliseconds since 1970) until SAMPLE_SPAN later,
 * ordered by id and so by time. The same seed and start give the same events.
 */
export function sampleEvents(
  platform: readonly Organisation[],
  seed: number,
  start: number,
): SampleEvent[] {
  const random = seededRandom(seed + 1);
  const period = { start, end: start + SAMPLE_SPAN };
  const events = platform.flatMap((organisation) => history(organisation, period, random));
  return events.sort((one, other) => (one.id < other.id ? -1 : 1));
}

interface Story {
  organisation: Organisation;
  period: { start: number; end: number };
  random: Random;
  /** Adds an event, when its time lies within the period. */
  record(at: number, event: Omit<SampleEvent, "id" | "organisation_id">): void;
}

function history(organisation: Organisation, period: Story["period"], random: Random) {
  const events: SampleEvent[] = [];
  const story: Story = {
    organisation,
    period,
    random,
    record: (at, event) => {
      const time = Math.floor(at);
      if (time < period.start || time >= period.end) return;
      events.push({ id: uuid7(time, random), organisation_id: organisation.id, ...event });
    },
  };
  for (const mentor of organisation.mentors) mentorship(story, mentor);
  for (const coordinator of organisation.coordinators) coordination(story, coordinator);
  return events;
}

function mentorship(story: Story, mentor: Person): void {
  const { period, random, organisation, record } = story;
  const joined = random.chance(0.6)
    ? period.start - random.between(0, 365) * DAY
    : period.start + random.between(0, 450) * DAY;
  const left = random.chance(0.08) ? joined + random.between(150, 700) * DAY : period.end;
  const entity = { entity_type: "mentor", entity_id: mentor.id };

  record(daytime(joined, random), {
    ...entity,
    ...user(random.pick(organisation.coordinators), random),
    action: "mentor.registered",
    changes: { status: { old: null, new: "active" } },
  });
  certification(story, mentor, joined, left);
  activities(story, mentor, joined, left);
  profile(story, mentor, joined, left);
  if (random.chance(0.15)) standIn(story, mentor, joined, left);

  if (left >= period.end) return;
  const closed = daytime(left, random);
  record(closed, {
    ...entity,
    ...user(random.pick(organisation.coordinators), random),
    action: "mentor.deactivated",
    changes: { status: { old: "active", new: "inactive" } },
  });
  record(closed + 2 * 60_000, {
    ...entity,
    ...service("website-sync"),
    action: "website.removed",
    details: { reason: "deactivated" },
  });
}

/** A certificate is valid for a year; most mentors renew it in time, the others leave the website. */
function certification(story: Story, mentor: Person, joined: number, left: number): void {
  const { random, organisation, record } = story;
  const entity = { entity_type: "mentor", entity_id: mentor.id };
  let expires = joined + 365 * DAY;
  while (expires < left) {
    const inTime = random.chance(0.75);
    const days = inTime ? -random.between(1, 55) : random.between(2, 25);
    const renewed = daytime(expires + days * DAY, random);

    for (const daysLeft of [60, 30, 7]) {
      const sent = nightly(expires - daysLeft * DAY, random);
      if (sent > renewed) break;
      record(sent, {
        ...entity,
        ...service("certificate-expiry"),
        action: "certificate.reminder_sent",
        details: { days_left: daysLeft, channel: daysLeft === 7 ? "sms" : "email" },
      });
    }
    if (!inTime) {
      const lapsed = nightly(expires, random);
      record(lapsed, {
        ...entity,
        actor_kind: "system",
        action: "certificate.lapsed",
        changes: { certificate: { old: "valid", new: "lapsed" } },
      });
      record(lapsed + 90_000, {
        ...entity,
        ...service("website-sync"),
        action: "website.removed",
        details: { reason: "certificate lapsed" },
      });
    }
    const next = Math.max(expires, renewed) + 365 * DAY;
    record(renewed, {
      ...entity,
      ...user(random.pick(organisation.coordinators), random),
      action: "certificate.renewed",
      changes: { expires_on: { old: date(expires), new: date(next) } },
    });
    if (!inTime) {
      record(renewed + 45_000, {
        ...entity,
        ...service("website-sync"),
        action: "website.restored",
        details: { reason: "certificate renewed" },
      });
    }
    expires = next;
  }
}

function activities(story: Story, mentor: Person, joined: number, left: number): void {
  const { period, random, record } = story;
  const daysBetween = random.between(7, 20);
  let done = 0;
  let day = Math.max(joined, period.start);
  for (;;) {
    day += random.between(0.2, 1.8) * daysBetween * DAY;
    if (day >= left) return;
    done += 1;

    const at = daytime(day, random);
    const minutes = random.integer(2, 12) * 15;
    const entity = { entity_type: "activity", entity_id: uuid4(random) };
    record(at, {
      ...entity,
      ...user(mentor, random),
      action: "activity.logged",
      details: { kind: random.pick(ACTIVITIES), minutes },
    });
    if (random.chance(0.05)) {
      record(at + random.integer(2, 50) * 60_000, {
        ...entity,
        ...user(mentor, random),
        action: "activity.corrected",
        changes: { minutes: { old: minutes, new: minutes + 15 } },
      });
    }
    const badge = BADGES[done];
    if (badge !== undefined) {
      record(at + 3_000, {
        entity_type: "mentor",
        entity_id: mentor.id,
        actor_kind: "system",
        action: "badge.awarded",
        details: { badge, activities: done },
      });
    }
  }
}

function profile(story: Story, mentor: Person, joined: number, left: number): void {
  const { period, random, record } = story;
  const entity = { entity_type: "mentor", entity_id: mentor.id };
  for (let change = random.integer(1, 5); change > 0; change -= 1) {
    const at = daytime(random.between(Math.max(joined, period.start), left), random);
    const [old, next] = random.pick(AVAILABILITY);
    record(at, {
      ...entity,
      // Now and then the support desk does it in the mentor's name.
      ...(random.chance(0.1) ? impersonated(mentor, random) : user(mentor, random)),
      action: "profile.updated",
      changes: { availability: { old, new: next } },
    });
  }
}

/** Some mentors stand in for a coordinator for a few weeks. */
function standIn(story: Story, mentor: Person, joined: number, left: number): void {
  const { period, random, organisation, record } = story;
  const begin = daytime(random.between(Math.max(joined, period.start), left), random);
  const change = (at: number, from: string, to: string) =>
    record(at, {
      entity_type: "member",
      entity_id: mentor.id,
      ...user(random.pick(organisation.admins), random),
      action: "member.role_changed",
      changes: { role: { old: from, new: to } },
    });
  change(begin, "peer_mentor", "coordinator");
  change(begin + random.integer(14, 60) * DAY, "coordinator", "peer_mentor");
}

function coordination(story: Story, coordinator: Person): void {
  const { period, random, record } = story;
  for (let day = period.start; day < period.end; day += random.between(3, 12) * DAY) {
    record(daytime(day, random), {
      entity_type: "report",
      entity_id: `activities-${date(day).slice(0, 7)}`,
      ...user(coordinator, random),
      action: "report.exported",
      details: { format: random.pick(["csv", "xlsx", "pdf"]), rows: random.integer(20, 400) },
    });
  }
}

/** People act from 7 to 20 o'clock (UTC) of the day. */
function daytime(at: number, random: Random): number {
  return startOfDay(at) + random.between(7, 20) * HOUR;
}

/** Scheduled jobs run between 3 and 4. */
function nightly(at: number, random: Random): number {
  return startOfDay(at) + random.between(3, 4) * HOUR;
}

function startOfDay(at: number): number {
  return Math.floor(at / DAY) * DAY;
}

function date(at: number): string {
  return new Date(at).toISOString().slice(0, 10);
}

function user(person: Person, random: Random) {
  return { actor_id: person.id, actor_kind: "user" as const, ...request(random) };
}

function impersonated(person: Person, random: Random) {
  return {
    actor_id: person.id,
    actor_kind: "impersonated" as const,
    impersonator_id: "support-desk",
    ...request(random),
  };
}

function service(name: string) {
  return { actor_id: name, actor_kind: "service" as const };
}

/** Addresses are from the blocks that are reserved for documentation. */
function request(random: Random) {
  const network = random.pick(["192.0.2", "198.51.100", "203.0.113"]);
  return {
    ip_address: `${network}.${random.integer(1, 254)}`,
    user_agent: random.pick(USER_AGENTS),
    request_id: uuid4(random),
  };
}

const ACTIVITIES = ["conversation", "phone call", "group session", "hospital visit", "course"];

/** Badge by the number of activities that earns it. */
const BADGES: Readonly<Record<number, string>> = {
  5: "first steps",
  15: "good listener",
  30: "steady support",
  60: "pillar",
};

const AVAILABILITY = [
  ["weekdays", "evenings"],
  ["evenings", "weekends"],
  ["weekends", "any time"],
  ["any time", "weekdays"],
] as const;

const USER_AGENTS = ["mentor-app/4.2 (iOS 18.1)", "mentor-app/4.2 (Android 15)", "Firefox/132.0"];
