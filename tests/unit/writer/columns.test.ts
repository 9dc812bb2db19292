import { expect, expectTypeOf, test } from "vitest";
import type { Database } from "../../../src/database/types.js";
import { columnNames, defineColumns, entryColumns } from "../../../src/writer/columns.js";
import type { AuditEntry } from "../../../src/writer/types.js";

type Insert = Database["public"]["Tables"]["audit_log"]["Insert"];
/** What the database fills in itself. */
type Own = "database_role" | "era" | "erasure_salt" | "occurred_at" | "recorded_at" | "tx_id";

test("are those of an entry, and of the table but for what the database fills in", () => {
  expectTypeOf<keyof typeof entryColumns>().toEqualTypeOf<keyof AuditEntry>();
  expectTypeOf<keyof typeof entryColumns>().toEqualTypeOf<Exclude<keyof Insert, Own>>();
  expect(columnNames).toEqual(Object.keys(entryColumns));
});

test("are defined with their types", () => {
  expect(defineColumns(["id", "changes", "ip_address"])).toBe(
    "id uuid, changes jsonb, ip_address inet",
  );
});
