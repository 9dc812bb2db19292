import { byteLength } from "./byte_length.js";
import type { AuditEntry, Failure, FailureLine } from "./types.js";

/** What tells these lines from everything else in a log. */
export const LINE_TYPE = "audit_write_failed";

/** Most bytes of a log event of CloudWatch, of which 26 are its own. */
export const MAX_LINE_BYTES = 256 * 1024 - 26;

/** What a line says besides the entry. */
export interface FailureLineOptions {
  failure: Failure;
  status: FailureLine["status"];
  /** Milliseconds since 1970. */
  now: number;
  /** The entry as `jsonLine` renders it, or null to leave it out. */
  json: string | null;
}

/**
 * The structured line about an event that did not reach the database: one JSON object without line
 * breaks. Where it would exceed a log event it has no entry, as with `json` null: part of one must
 * not be replayed in place of all of it. Never throws.
 */
export function failureLine(entry: AuditEntry, options: FailureLineOptions): string {
  const { failure, status, now, json } = options;
  const head: Omit<FailureLine, "event"> = {
    timestamp: timestamp(now),
    type: LINE_TYPE,
    message: "[AUDIT] Database write failed",
    action: entry.action,
    entityType: entry.entity_type,
    entityId: entry.entity_id,
    userId: entry.actor_id,
    error: failure.message.slice(0, 2000),
    code: failure.code,
    eventId: entry.id,
    status,
  };
  const start = jsonLine(head).slice(0, -1);
  const line = `${start},"event":${json ?? "null"}}`;
  // No character takes more than three bytes a unit, so most lines need no counting.
  const fits = line.length * 3 <= MAX_LINE_BYTES || byteLength(line) <= MAX_LINE_BYTES;
  return fits ? line : `${start},"event":null}`;
}

/** A value as JSON in which no reader of lines finds a break: some break at two characters more. */
export function jsonLine(value: unknown): string {
  const json = JSON.stringify(value);
  if (!/[\u2028\u2029]/.test(json)) return json;
  return json.replaceAll("\u2028", "\\u2028").replaceAll("\u2029", "\\u2029");
}

/** The last time that was written out: during an outage there are many lines a millisecond. */
let written = { now: Number.NaN, text: "" };

function timestamp(now: number): string {
  if (written.now !== now) {
    // A clock that is out of its mind must not take the line with it.
    const text = new Date(Math.abs(now) <= 8.64e15 ? now : 0).toISOString();
    written = { now, text };
  }
  return written.text;
}
