import { expect, test } from "vitest";
import { entryColumns } from "../../src/writer/columns.js";
import { useDatabase } from "../harness/index.js";

const database = useDatabase();

test("an entry has the columns that service_role may insert, in their order and of their types", async () => {
  const { rows } = await database.superuser.query<{ name: string; type: string }>(
    `select column_name as name, udt_name as type
     from information_schema.columns
     where table_schema = 'public' and table_name = 'audit_log'
       and has_column_privilege('service_role', 'public.audit_log', column_name, 'insert')
     order by ordinal_position`,
  );
  expect(rows.map(({ name, type }) => [name, type])).toEqual(Object.entries(entryColumns));
});
