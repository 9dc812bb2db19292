import type { EvaluationLog } from "../edge.js";
import { isObject } from "../verify/json.js";
import { columnNames, entryColumns } from "../writer/columns.js";
import { isActorKind } from "../writer/entry.js";
import { LINE_TYPE } from "../writer/failure_line.js";
import type { AuditEntry, Json } from "../writer/types.js";
import { isUuid, isUuid7 } from "../writer/uuid.js";

export { columnNames as ENTRY_COLUMNS } from "../writer/columns.js";

/** A run of the evaluation of badges; what its line left out is null. */
export type Evaluation = Record<keyof EvaluationLog, Json> & { id: string };

type EntryReading = { kind: "entry"; entry: AuditEntry };
type EvaluationReading = { kind: "evaluation"; evaluation: Evaluation };
type Refusal = { kind: "refused"; id: string | null; reason: string };

/** What an object of the writer, found in a log, means. */
export type Reading =
  | EntryReading
  | EvaluationReading
  /** A failure whose payload was kept out of the log. */
  | { kind: "redacted"; id: string }
  | Refusal;

/** Columns, and what their values look like. Lengths are the database's to judge. */
type Columns<Name extends string> = Readonly<Record<Name, (value: unknown) => boolean>>;

const BY_TYPE = { uuid: isUuid, text: isTextOrNull, jsonb: isDocumentOrNull, inet: isTextOrNull };

/** Columns that say more than their types. */
const BY_NAME: Partial<Columns<string>> = {
  id: isUuid7,
  actor_kind: isActorKind,
  action: (value) => typeof value === "string",
};

const ENTRY: Columns<string> = Object.fromEntries(
  columnNames.map((name) => [name, BY_NAME[name] ?? BY_TYPE[entryColumns[name]]]),
);

const EVALUATION: Columns<keyof EvaluationLog> = {
  id: isUuid7,
  org_id: isUuid,
  peer_mentor_id: isUuid,
  duration_ms: (value) => typeof value === "number",
  activity_id: (value) => value === null || isUuid(value),
  badges_evaluated: isUuidsOrNull,
  criteria_outcomes: isDocumentOrNull,
  badges_awarded: isUuidsOrNull,
  error_message: isTextOrNull,
};

/** Reads a structured line of the writer or an entry of its spool file, as parsed. Never throws. */
export function readFailure(found: Record<string, unknown>): Reading {
  if (found.type !== LINE_TYPE) return readEntry(found);
  const { event, evaluation = null, eventId } = found;
  if (!isUuid7(eventId)) return refused(null, "eventId is no UUIDv7");
  const id = eventId.toLowerCase();
  if (event === null && evaluation === null) return { kind: "redacted", id };
  // A run of the evaluation of badges is no event of audit_log.
  const name = event === null ? "evaluation" : "event";
  const payload = found[name];
  if (!isObject(payload)) return refused(id, `${name} is no object`);
  const reading = event === null ? readEvaluation(payload) : readEntry(payload);
  if (reading.kind === "refused") return { ...reading, id };
  const row = reading.kind === "entry" ? reading.entry : reading.evaluation;
  return row.id === id ? reading : refused(id, `${name}.id is not eventId`);
}

function readEntry(event: Record<string, unknown>): EntryReading | Refusal {
  const row = readRow(event, ENTRY);
  return row.kind === "row" ? { kind: "entry", entry: row.values as unknown as AuditEntry } : row;
}

function readEvaluation(evaluation: Record<string, unknown>): EvaluationReading | Refusal {
  const row = readRow(evaluation, EVALUATION);
  return row.kind === "row" ? { kind: "evaluation", evaluation: row.values as Evaluation } : row;
}

function readRow(
  found: Record<string, unknown>,
  columns: Columns<string>,
): { kind: "row"; values: Record<string, Json> } | Refusal {
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
  return { kind: "row", values: { ...values, id } };
}

function refused(id: string | null, reason: string): Refusal {
  return { kind: "refused", id, reason };
}

function shown(name: string): string {
  return JSON.stringify(name.slice(0, 63));
}

function isUuidsOrNull(value: unknown): boolean {
  return value === null || (Array.isArray(value) && value.every(isUuid));
}

function isTextOrNull(value: unknown): boolean {
  return value === null || typeof value === "string";
}

function isDocumentOrNull(value: unknown): boolean {
  return value === null || isObject(value);
}
