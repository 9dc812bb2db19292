import type pg from "pg";
import { columnNames, defineColumns, entryColumns } from "../writer/columns.js";
import { isActorKind } from "../writer/entry.js";
import type { AuditEntry } from "../writer/types.js";
import { isUuid, isUuid7 } from "../writer/uuid.js";
import { isDocumentOrNull, isTextOrNull } from "./shapes.js";
import type { Columns, Outcome, Row, Trail } from "./trail.js";

const BY_TYPE = { uuid: isUuid, text: isTextOrNull, jsonb: isDocumentOrNull, inet: isTextOrNull };

/** Columns that say more than their types. */
const BY_NAME: Partial<Columns<string>> = {
  id: isUuid7,
  actor_kind: isActorKind,
  action: (value) => typeof value === "string",
};

const columns: Columns<string> = Object.fromEntries(
  columnNames.map((name) => [name, BY_NAME[name] ?? BY_TYPE[entryColumns[name]]]),
);

const NAMES = columnNames.join(", ");
const RECORDS = `jsonb_to_recordset($1) as sent (${defineColumns()})`;

/** Columns that an erasure empties. */
const ERASABLE: readonly (keyof AuditEntry)[] = ["changes", "details", "ip_address", "user_agent"];
const LASTING = columnNames.filter((name) => name !== "id" && !ERASABLE.includes(name));

/** Says in SQL whether columns of what was sent and of what is kept are the same. */
function areSame(names: readonly string[]): string {
  const row = (table: string) => `(${names.map((name) => `${table}.${name}`).join(", ")})`;
  return `${row("sent")} is not distinct from ${row("kept")}`;
}

// Erased columns say nothing: the salt of the commitments to them is gone, too.
const COMPARE = `select sent.id,
    ${areSame(LASTING)} and (kept.erasure_salt is null or ${areSame(ERASABLE)}) as same
  from ${RECORDS}
  join public.audit_log as kept on kept.id = sent.id and kept.id = any ($2::uuid[])`;

/** `audit_log`. */
export const auditLog: Trail = { name: "audit_log", property: "event", columns, insert };

async function insert(client: pg.ClientBase, entries: readonly Row[]): Promise<Outcome[]> {
  const inserted = await client.query<{ id: string }>(
    `insert into public.audit_log (${NAMES})
     select ${NAMES} from ${RECORDS}
     on conflict (id) do nothing
     returning id`,
    [JSON.stringify(entries)],
  );
  const added = new Set(inserted.rows.map(({ id }) => id));
  const others = entries.filter(({ id }) => !added.has(id));
  const same = new Map<string, boolean>();
  if (others.length > 0) {
    const { rows } = await client.query<{ id: string; same: boolean }>(COMPARE, [
      JSON.stringify(others),
      others.map(({ id }) => id),
    ]);
    for (const row of rows) same.set(row.id, row.same);
  }
  return entries.map(({ id }): Outcome => {
    if (added.has(id)) return { kind: "inserted" };
    if (!same.has(id)) return { kind: "refused", reason: "it was removed just now" };
    return { kind: same.get(id) ? "alreadyThere" : "conflict" };
  });
}
