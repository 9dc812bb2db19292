import { randomBytes } from "node:crypto";
import { jsonLine, failureLine as writtenLine } from "../../src/writer/failure_line.js";
import type { AuditEntry, FailureLine } from "../../src/writer/types.js";
import { ids } from "./personas.js";

/** A UUIDv7 of a time. */
export function uuid7(at = new Date()): string {
  const time = at.getTime().toString(16).padStart(12, "0");
  const random = randomBytes(10).toString("hex");
  const hex = `${time}7${random.slice(0, 3)}8${random.slice(3, 18)}`;
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** An entry that the database takes. */
export function newEntry(columns: Partial<AuditEntry> = {}): AuditEntry {
  return {
    id: uuid7(),
    organisation_id: ids.organisationA,
    actor_id: "ada",
    actor_kind: "user",
    impersonator_id: null,
    action: "badge.awarded",
    entity_type: "badge",
    entity_id: "b1",
    changes: null,
    details: null,
    ip_address: null,
    user_agent: null,
    request_id: null,
    trace_id: null,
    ...columns,
  };
}

/** What the writer says of an entry that did not reach the database. */
export function failureOf(entry: AuditEntry, changed: Partial<FailureLine> = {}): FailureLine {
  const line = writtenLine(entry, {
    failure: {
      kind: "transient",
      code: "ECONNREFUSED",
      message: "connect ECONNREFUSED 127.0.0.1:5432",
    },
    status: "buffered",
    now: Date.parse("2026-11-21T09:00:00.012Z"),
    json: jsonLine(entry),
  });
  return { ...(JSON.parse(line) as FailureLine), ...changed };
}

/** The line on standard error, without its end. */
export function failureLine(entry: AuditEntry, changed: Partial<FailureLine> = {}): string {
  return JSON.stringify(failureOf(entry, changed));
}
