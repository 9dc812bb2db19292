import pg from "pg";

/** How many organisations there are, unless a benchmark says otherwise. */
export const ORGANISATIONS = 100;
const PEOPLE_OF_AN_ORGANISATION = 200;
const THINGS_OF_AN_ORGANISATION = 5_000;

/** What an entry is made of. Numbers are from 1, `chance` is evenly spread in [0, 1). */
interface Drawn {
  n: number;
  organisation: number;
  person: number;
  thing: number;
  chance: number;
}

/** Expressions of SQL that draw what `draw` draws, but for n and the organisation. */
export const DRAWN_IN_SQL = `
    1 + floor(random() * ${PEOPLE_OF_AN_ORGANISATION})::int as person,
    1 + floor(random() * ${THINGS_OF_AN_ORGANISATION})::int as thing,
    random() as chance`;

export function draw(): Drawn {
  const upTo = (most: number) => 1 + Math.floor(Math.random() * most);
  return {
    n: upTo(1_000_000_000),
    organisation: upTo(ORGANISATIONS),
    person: upTo(PEOPLE_OF_AN_ORGANISATION),
    thing: upTo(THINGS_OF_AN_ORGANISATION),
    chance: Math.random(),
  };
}

/** A column that a writer sends: the database fills in the others. */
interface Column {
  /** Base type, where the column's own is a domain. */
  type: string;
  value: (drawn: Drawn) => unknown;
  /** The same in SQL, over columns of the names of `Drawn`. */
  sql: string;
}

/** A trail and the entries that a benchmark writes into it. */
export interface Shape {
  /** Name of the table in public. */
  trail: string;
  columns: Record<string, Column>;
}

function uuid(kind: string, n: number): string {
  return `00000000-0000-${kind}-8000-${String(n).padStart(12, "0")}`;
}

function uuidColumn(kind: string, value: (drawn: Drawn) => number, sql: string): Column {
  return {
    type: "uuid",
    value: (drawn) => uuid(kind, value(drawn)),
    sql: `('00000000-0000-${kind}-8000-' || lpad((${sql})::text, 12, '0'))::uuid`,
  };
}

function personColumn(kind: string): Column {
  return uuidColumn(
    kind,
    ({ organisation, person }) => organisation * 10_000 + person,
    "organisation * 10000 + person",
  );
}

function thingColumn(kind: string): Column {
  return uuidColumn(
    kind,
    ({ organisation, thing }) => organisation * 10_000 + thing,
    "organisation * 10000 + thing",
  );
}

function constant(type: string, value: unknown): Column {
  const text = type === "jsonb" ? JSON.stringify(value) : String(value);
  return { type, value: () => value, sql: `${pg.escapeLiteral(text)}::${type}` };
}

/** The first value whose part, or that of those before it, is above `chance`; else the last one. */
function chanceColumn(type: string, parts: [part: number, value: unknown][]): Column {
  const literal = (value: unknown) =>
    value === null
      ? "null"
      : `${pg.escapeLiteral(Array.isArray(value) ? `{${value}}` : String(value))}`;
  const whens = parts.map(([part, value]) => `when chance < ${part} then ${literal(value)}`);
  return {
    type,
    value: ({ chance }) => parts.find(([part]) => chance < part)?.[1],
    sql: `(case ${whens.join(" ")} end)::${type}`,
  };
}

const ORGANISATION = uuidColumn("4000", ({ organisation }) => organisation, "organisation");

/** Id of the n-th organisation, from 1. */
export function organisationId(n: number): string {
  return uuid("4000", n);
}

/** Name of the n-th actor of an organisation in audit_log, both from 1. */
export function actorId(organisation: number, n: number): string {
  return `user-${organisation}-${n}`;
}

/** Id of the n-th mentor of an organisation, both from 1. */
export function mentorId(organisation: number, n: number): string {
  return uuid("4001", organisation * 10_000 + n);
}

/** Id of the n-th coordinator of an organisation, both from 1. */
export function coordinatorId(organisation: number, n: number): string {
  return uuid("4002", organisation * 10_000 + n);
}

const KINDS = ["certificate", "activity", "mentor", "badge", "report"];
const VERBS = ["created", "viewed", "renewed", "assigned", "closed"];
const KIND_IN_SQL = `('{${KINDS}}'::text[])[1 + thing % ${KINDS.length}]`;

/** Kind and id of the n-th thing that an organisation's entries of audit_log speak of, both from 1. */
export function entity(organisation: number, n: number): { type: string; id: string } {
  return { type: KINDS[n % KINDS.length] ?? "", id: `entity-${organisation}-${n}` };
}

export const AUDIT_LOG: Shape = {
  trail: "audit_log",
  columns: {
    organisation_id: ORGANISATION,
    actor_id: {
      type: "text",
      value: ({ organisation, person }) => actorId(organisation, person),
      sql: "'user-' || organisation || '-' || person",
    },
    actor_kind: constant("text", "user"),
    action: {
      type: "text",
      value: ({ organisation, thing, n }) =>
        `${entity(organisation, thing).type}.${VERBS[n % VERBS.length]}`,
      sql: `${KIND_IN_SQL} || '.' || ('{${VERBS}}'::text[])[1 + n % ${VERBS.length}]`,
    },
    entity_type: {
      type: "text",
      value: ({ organisation, thing }) => entity(organisation, thing).type,
      sql: KIND_IN_SQL,
    },
    entity_id: {
      type: "text",
      value: ({ organisation, thing }) => entity(organisation, thing).id,
      sql: "'entity-' || organisation || '-' || thing",
    },
    changes: constant("jsonb", {
      status: { old: "pending", new: "valid" },
      valid_until: { old: null, new: "2027-03-31" },
    }),
    details: constant("jsonb", { source: "portal", client_version: "4.12.0", locale: "nb-NO" }),
    ip_address: constant("inet", "192.0.2.17"),
    user_agent: constant(
      "text",
      "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    ),
    request_id: {
      type: "text",
      value: ({ n }) => `request-${n}`,
      sql: "'request-' || n",
    },
  },
};

/** Of 100 attempts 92 succeed, 7 are tried again and one is given up. */
export const HLF_SYNC: Shape = {
  trail: "hlf_sync_audit_log",
  columns: {
    organisation_id: ORGANISATION,
    mentor_id: personColumn("4001"),
    sync_direction: chanceColumn("public.sync_direction", [
      [0.5, "remove"],
      [1, "restore"],
    ]),
    outcome: chanceColumn("public.sync_outcome", [
      [0.92, "success"],
      [0.99, "retryable_failure"],
      [1, "dead_letter"],
    ]),
    portal_response_code: chanceColumn("int", [
      [0.92, 200],
      [1, 503],
    ]),
    retry_count: chanceColumn("int", [
      [0.95, 0],
      [1, 3],
    ]),
    source: chanceColumn("public.sync_source", [
      [0.2, "status_transition"],
      [1, "nightly_batch"],
    ]),
    error_code: chanceColumn("text", [
      [0.92, null],
      [1, "portal.unavailable"],
    ]),
    sync_job_id: thingColumn("4004"),
  },
};

export const ACKNOWLEDGEMENT: Shape = {
  trail: "coordinator_acknowledgement_audit",
  columns: {
    organisation_id: ORGANISATION,
    coordinator_id: personColumn("4002"),
    mentor_id: thingColumn("4001"),
    notification_id: thingColumn("4005"),
    certificate_type: constant("text", "first aid"),
    threshold_tier: chanceColumn("public.threshold_tier", [
      [0.4, "advance_60"],
      [0.7, "warning_30"],
      [0.9, "urgent_7"],
      [1, "lapsed"],
    ]),
    note: chanceColumn("text", [
      [0.7, null],
      [1, "Called on Tuesday, the course is booked for the second half of next month."],
    ]),
  },
};

const BADGES = Array.from({ length: 6 }, (_, n) => uuid("4006", n + 1));

/** Of six badges that are checked two are earned; one run of ten awards the first, one of fifty fails. */
export const BADGE_EVALUATION: Shape = {
  trail: "badge_evaluation_logs",
  columns: {
    org_id: ORGANISATION,
    peer_mentor_id: personColumn("4001"),
    activity_id: thingColumn("4007"),
    badges_evaluated: constant("jsonb", BADGES),
    criteria_outcomes: constant(
      "jsonb",
      Object.fromEntries(BADGES.map((badge, n) => [badge, n < 2])),
    ),
    badges_awarded: chanceColumn("uuid[]", [
      [0.1, BADGES.slice(0, 1)],
      [1, []],
    ]),
    error_message: chanceColumn("text", [
      [0.98, null],
      [1, "criteria.timeout"],
    ]),
    duration_ms: { type: "int", value: ({ thing }) => thing, sql: "thing" },
  },
};

/** The trails besides audit_log. */
export const DOMAIN_TRAILS = [HLF_SYNC, ACKNOWLEDGEMENT, BADGE_EVALUATION];
