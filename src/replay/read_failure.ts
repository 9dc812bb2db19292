import { isObject } from "../verify/json.js";
import { LINE_TYPE } from "../writer/failure_line.js";
import type { Json } from "../writer/types.js";
import { isUuid7 } from "../writer/uuid.js";
import { auditLog } from "./audit_log.js";
import type { Row, Trail } from "./trail.js";

type RowReading = { kind: "row"; trail: Trail; row: Row };
type Refusal = { kind: "refused"; id: string | null; reason: string };

/** What an object of the writer, found in a log, means. */
export type Reading =
  | RowReading
  /** A failure whose payload was kept out of the log. */
  | { kind: "redacted"; id: string }
  | Refusal;

/**
 * Reads a structured line about a row of one of the trails, or an entry of a spool file, as parsed.
 * Never throws.
 */
export function readFailure(found: Record<string, unknown>, trails: readonly Trail[]): Reading {
  if (found.type !== LINE_TYPE) return readRow(found, auditLog);
  const { event, eventId } = found;
  if (!isUuid7(eventId)) return refused(null, "eventId is no UUIDv7");
  const id = eventId.toLowerCase();
  // A row of another trail is no event of audit_log.
  const trail =
    event === null ? trails.find(({ property }) => (found[property] ?? null) !== null) : auditLog;
  if (!trail) return { kind: "redacted", id };
  const payload = found[trail.property];
  if (!isObject(payload)) return refused(id, `${trail.property} is no object`);
  const reading = readRow(payload, trail);
  if (reading.kind === "refused") return { ...reading, id };
  return reading.row.id === id ? reading : refused(id, `${trail.property}.id is not eventId`);
}

function readRow(found: Record<string, unknown>, trail: Trail): RowReading | Refusal {
  const { columns } = trail;
  const id = isUuid7(found.id) ? found.id.toLowerCase() : null;
  const unknown = Object.keys(found).find((name) => !Object.hasOwn(columns, name));
  // A name from the file is shown, but never in full: it may be anything.
  if (unknown !== undefined) return refused(id, `unknown column ${shown(unknown)}`);
  const values: Record<string, Json> = {};
  for (const [column, fits] of Object.entries(columns)) {
    const value = found[column] ?? null;
    if (!fits(value)) return refused(id, `${column} has the wrong shape`);
    values[column] = value as Json;
  }
  return { kind: "row", trail, row: { ...values, id } as Row };
}

function refused(id: string | null, reason: string): Refusal {
  return { kind: "refused", id, reason };
}

function shown(name: string): string {
  return JSON.stringify(name.slice(0, 63));
}
