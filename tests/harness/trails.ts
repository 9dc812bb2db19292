import { randomUUID } from "node:crypto";
import type pg from "pg";
import type { TestDatabase } from "./database.js";
import type { Queryable } from "./log.js";
import type { Persona } from "./personas.js";

/** What tests know of a trail, to treat all of them alike. */
export interface Trail {
  /** Column of the tenant. */
  organisationColumn: string;
  /** Column of the time of the event. */
  timeColumn: string;
  /** The RPC that reads it page by page. */
  rpc: string;
  /** Arguments of the RPC by which it filters, with the column that must be equal. */
  filters: Record<string, string>;
  /** Columns of an entry that is valid in every organisation, besides id and organisation. */
  sample: Record<string, string | number>;
}

const mentor = "e0000000-0000-4000-8000-000000000001";

/** The trails that pgtrail brings along. */
export const trails = {
  audit_log: {
    organisationColumn: "organisation_id",
    timeColumn: "occurred_at",
    rpc: "get_audit_log",
    filters: {
      p_actor_id: "actor_id",
      p_entity_type: "entity_type",
      p_entity_id: "entity_id",
      p_action: "action",
    },
    sample: {
      actor_id: "ada",
      actor_kind: "user",
      action: "badge.awarded",
      entity_type: "badge",
      entity_id: "b1",
    },
  },
  hlf_sync_audit_log: {
    organisationColumn: "organisation_id",
    timeColumn: "attempted_at",
    rpc: "get_hlf_sync_audit",
    filters: { p_mentor_id: "mentor_id", p_outcome: "outcome" },
    sample: {
      mentor_id: mentor,
      sync_direction: "remove",
      outcome: "dead_letter",
      retry_count: 5,
      source: "nightly_batch",
      sync_job_id: "e0000000-0000-4000-8000-000000000002",
    },
  },
  coordinator_acknowledgement_audit: {
    organisationColumn: "organisation_id",
    timeColumn: "acknowledged_at",
    rpc: "get_coordinator_acknowledgement_audit",
    filters: { p_coordinator_id: "coordinator_id" },
    sample: {
      coordinator_id: "e0000000-0000-4000-8000-000000000003",
      mentor_id: mentor,
      notification_id: "e0000000-0000-4000-8000-000000000004",
      certificate_type: "first_aid",
      threshold_tier: "urgent_7",
    },
  },
  badge_evaluation_logs: {
    organisationColumn: "org_id",
    timeColumn: "triggered_at",
    rpc: "get_badge_evaluation_logs",
    filters: { p_peer_mentor_id: "peer_mentor_id" },
    sample: {
      peer_mentor_id: mentor,
      activity_id: "e0000000-0000-4000-8000-000000000005",
      badges_evaluated: '["e0000000-0000-4000-8000-000000000006"]',
      criteria_outcomes: '{"e0000000-0000-4000-8000-000000000006": true}',
      badges_awarded: "{e0000000-0000-4000-8000-000000000006}",
      duration_ms: 12,
    },
  },
} as const satisfies Record<string, Trail>;

/** Name of one of the `trails`. */
export type TrailName = keyof typeof trails;

/** Names of the `trails`. */
export const trailNames = Object.keys(trails) as TrailName[];

/** A trail, by name, as every trail looks. */
export function trailOf(name: TrailName): Trail {
  return trails[name];
}

/** Columns of an entry that differ from the sample of its trail. */
export interface Entry {
  /** Time of the event; now when it is missing. */
  at?: string;
  [column: string]: string | number | null | undefined;
}

/**
 * Inserts entries as `client`, who must be allowed to.
 *
 * @returns their ids, in the order of the entries
 */
export async function insertEntries(
  client: Queryable,
  trail: TrailName,
  organisation: string,
  entries: readonly Entry[],
): Promise<string[]> {
  const { organisationColumn, sample } = trailOf(trail);
  const full = entries.map((entry) => ({ ...sample, ...entry }));
  const columns = [...new Set(full.flatMap((entry) => Object.keys(entry)))].filter(
    (column) => column !== "at",
  );
  const types = await columnTypes(client, trail);
  const { rows } = await client.query<{ id: string }>(
    `insert into public.${trail} (id, ${organisationColumn}${columns.map((column) => `, ${column}`).join("")})
     select pgtrail.uuid7(coalesce((entry ->> 'at')::timestamptz, clock_timestamp())), $1
       ${columns.map((column) => `, (entry ->> '${column}')::${types.get(column)}`).join("")}
     from jsonb_array_elements($2) with ordinality as listed (entry, place)
     order by place
     returning id`,
    [organisation, JSON.stringify(full)],
  );
  return rows.map((row) => row.id);
}

/** Types of the columns of a trail. */
async function columnTypes(client: Queryable, trail: TrailName): Promise<Map<string, string>> {
  const { rows } = await client.query<{ name: string; type: string }>(
    `select attname as name, format_type(atttypid, atttypmod) as type
     from pg_attribute
     where attrelid = $1::regclass and attnum > 0 and not attisdropped`,
    [`public.${trail}`],
  );
  return new Map(rows.map(({ name, type }) => [name, type]));
}

/** Makes partitions of all trails from a time on. */
export async function prepareBackfill(database: TestDatabase, from: string): Promise<void> {
  await database.as("service", async (client) => {
    for (const trail of trailNames) {
      await client.query("select public.prepare_audit_backfill($1, $2)", [trail, from]);
    }
  });
}

/** Runs a statement that is no event: tests count entries. */
export async function uncaptured<T extends pg.QueryResultRow>(
  database: TestDatabase,
  statement: string,
  values: unknown[] = [],
): Promise<pg.QueryResult<T>> {
  const client = await database.superuser.connect();
  try {
    await client.query("begin; set local session_replication_role = replica");
    return await client.query<T>(statement, values);
  } finally {
    // After an error this is a rollback.
    await client.query("commit");
    client.release();
  }
}

/** A new organisation. */
export async function newOrganisation(database: TestDatabase): Promise<string> {
  const { rows } = await uncaptured<{ id: string }>(
    database,
    "insert into public.organisations (name) values ('Test') returning id",
  );
  return (rows[0] as { id: string }).id;
}

/** A new user who is coordinator of the given organisations. */
export async function newCoordinator(
  database: TestDatabase,
  ...organisations: string[]
): Promise<Persona> {
  const sub = randomUUID();
  await uncaptured(
    database,
    `insert into public.organisation_members (organisation_id, user_id, role)
     select organisation, $2, 'coordinator' from unnest($1::uuid[]) as organisation`,
    [organisations, sub],
  );
  return { role: "authenticated", claims: { sub, role: "authenticated" } };
}
