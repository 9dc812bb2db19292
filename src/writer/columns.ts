import type { AuditEntry } from "./types.js";

/** Columns of `audit_log` that an entry fills, in the order of the table, and their types. */
export const entryColumns = {
  id: "uuid",
  organisation_id: "uuid",
  actor_id: "text",
  actor_kind: "text",
  impersonator_id: "text",
  action: "text",
  entity_type: "text",
  entity_id: "text",
  changes: "jsonb",
  details: "jsonb",
  ip_address: "inet",
  user_agent: "text",
  request_id: "text",
  trace_id: "text",
} as const satisfies Record<keyof AuditEntry, string>;

/** The names of these columns. */
export const columnNames = Object.keys(entryColumns) as (keyof AuditEntry)[];

/** Columns with their types, as a recordset of entries wants to know them. */
export function defineColumns(names: readonly (keyof AuditEntry)[] = columnNames): string {
  return names.map((name) => `${name} ${entryColumns[name]}`).join(", ");
}
