import type pg from "pg";
import { columnNames, defineColumns } from "../writer/columns.js";
import type { AuditEntry } from "../writer/types.js";
import type { Outcome, Trail } from "./restore.js";

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
export const auditLog: Trail<AuditEntry> = { name: "audit_log", insert };

async function insert(client: pg.ClientBase, entries: readonly AuditEntry[]): Promise<Outcome[]> {
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
