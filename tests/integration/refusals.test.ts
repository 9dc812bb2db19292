import type pg from "pg";
import { describe, expect, test } from "vitest";
import {
  ids,
  insertEntries,
  type PersonaName,
  type TrailName,
  trailNames,
  trailOf,
  useDatabase,
} from "../harness/index.js";

const database = useDatabase();

/** Columns that the database sets, and what a forger would put into them. */
const serverColumns = {
  recorded_at: "now() + interval '1 day'",
  era: "1",
  tx_id: "'3'",
  database_role: "'postgres'",
  erasure_salt: "null",
} as const;

/** Which trails have those that not all have. */
const columnsOfSome: Record<string, readonly TrailName[]> = {
  database_role: ["audit_log"],
  erasure_salt: ["audit_log", "coordinator_acknowledgement_audit"],
};

const partitionOf = (trail: TrailName) =>
  `pgtrail_partitions.${trail}_${new Date().toISOString().slice(0, 7).replace("-", "_")}`;

/** Everything that would change, remove, forge or bypass an entry, as a statement. */
function operationsOf(trail: TrailName): Record<string, string> {
  const { organisationColumn, sample } = trailOf(trail);
  const columns = [organisationColumn, ...Object.keys(sample)];
  const values = [ids.organisationA, ...Object.values(sample)].map((value) => `'${value}'`);
  const [column, value] = [columns.at(-1), values.at(-1)];
  const table = `public.${trail}`;
  const partition = partitionOf(trail);
  const insert = (into: string, more: Record<string, string> = {}) =>
    `insert into ${into} (${[...columns, ...Object.keys(more)]}) values (${[...values, ...Object.values(more)]})`;
  const has = (column: string) => columnsOfSome[column]?.includes(trail) ?? true;

  return {
    update: `update ${table} set ${column} = ${value}`,
    "update that matches no row": `update ${table} set ${column} = ${value} where false`,
    delete: `delete from ${table}`,
    "merge: update": `merge into ${table} as entry using (values (1)) as source (n) on true
       when matched then update set ${column} = ${value}`,
    "merge: delete": `merge into ${table} as entry using (values (1)) as source (n) on true
       when matched then delete`,
    truncate: `truncate ${table}`,
    "insert on conflict do update": `${insert(table)} on conflict (id) do update set ${column} = ${value}`,
    ...Object.fromEntries(
      Object.entries(serverColumns)
        .filter(([column]) => has(column))
        .map(([column, forged]) => [`insert ${column}`, insert(table, { [column]: forged })]),
    ),
    "copy into recorded_at": `copy ${table} (${columns}, recorded_at) from stdin`,
    "copy into tx_id": `copy ${table} (${columns}, tx_id) from stdin`,
    "select from a partition": `select from ${partition}`,
    "insert into a partition": insert(partition),
    "update a partition": `update ${partition} set ${column} = ${value}`,
    "delete from a partition": `delete from ${partition}`,
    "truncate a partition": `truncate ${partition}`,
    "set session_replication_role": "set local session_replication_role = replica",
    "disable the guards": `alter table ${table} disable trigger all`,
    "drop a partition": `drop table ${partition}`,
  };
}

const roles = {
  anon: "anon",
  authenticated: "coordinatorA",
  service_role: "service",
  pgtrail_auditor: "auditor",
} as const satisfies Record<string, PersonaName>;

/** What Postgres lets the owner of a table do whatever its triggers say. The owner cannot log in; who migrates can act as it. */
const allowedToOwner: ReadonlySet<string> = new Set([
  ...Object.keys(serverColumns).map((column) => `insert ${column}`),
  "copy into recorded_at",
  "copy into tx_id",
  "select from a partition",
  "insert into a partition",
  "disable the guards",
  "drop a partition",
]);

/** Runs one statement and takes it back. Returns "allowed", or the SQLSTATE and HINT of the refusal. */
async function attempt(
  client: pg.ClientBase,
  statement: string,
): Promise<{ code: string; hint?: string }> {
  await client.query("savepoint attempt");
  try {
    await client.query(statement);
    return { code: "allowed" };
  } catch (error) {
    const { code, hint } = error as pg.DatabaseError;
    // A COPY that may begin asks for data; the client has none and cancels it.
    return code === "57014"
      ? { code: "allowed" }
      : { code: String(code), ...(hint ? { hint } : {}) };
  } finally {
    await client.query("rollback to savepoint attempt");
  }
}

async function asOwner<T>(work: (client: pg.ClientBase) => Promise<T>): Promise<T> {
  const client = await database.migrator.connect();
  try {
    await client.query("begin");
    await client.query("set local role pgtrail_owner");
    return await work(client);
  } finally {
    await client.query("rollback");
    client.release();
  }
}

async function recordOne(trail: TrailName): Promise<void> {
  await database.as("service", (client) => insertEntries(client, trail, ids.organisationA, [{}]));
}

test("every trail of the database is in this matrix", async () => {
  const { rows } = await database.superuser.query<{ trail_name: string }>(
    "select trail_name from pgtrail.trail",
  );
  expect(rows.map((row) => row.trail_name).sort()).toEqual([...trailNames].sort());
});

/** Outcomes by role, operation and trail. */
const matrix = new Map<string, Map<string, Map<TrailName, string>>>();

function note(role: string, trail: TrailName, outcomes: Record<string, string>): void {
  const row = matrix.get(role) ?? new Map<string, Map<TrailName, string>>();
  matrix.set(role, row);
  for (const [operation, outcome] of Object.entries(outcomes)) {
    row.set(operation, (row.get(operation) ?? new Map()).set(trail, outcome));
  }
}

describe.each(trailNames)("every change of an entry of %s is refused", (trail) => {
  const operations = operationsOf(trail);

  for (const [role, persona] of Object.entries(roles)) {
    test(`for ${role}`, async () => {
      await recordOne(trail);
      const outcomes = await database.as(
        persona,
        async (client) => {
          const codes: Record<string, string> = {};
          for (const [operation, statement] of Object.entries(operations)) {
            codes[operation] = (await attempt(client, statement)).code;
          }
          return codes;
        },
        { rollback: true },
      );
      note(role, trail, outcomes);
      expect(outcomes).toEqual(
        Object.fromEntries(Object.keys(operations).map((operation) => [operation, "42501"])),
      );
    });
  }

  test("for pgtrail_owner, where Postgres lets a trigger decide, with a hint", async () => {
    await recordOne(trail);
    const outcomes = await asOwner(async (client) => {
      const codes: Record<string, string> = {};
      for (const [operation, statement] of Object.entries(operations)) {
        const { code, hint } = await attempt(client, statement);
        codes[operation] = code;
        if (code === "42501" && operation !== "set session_replication_role") {
          expect(hint, operation).toMatch(/Record a new entry/);
        }
      }
      return codes;
    });
    note("pgtrail_owner", trail, outcomes);
    expect(outcomes).toEqual(
      Object.fromEntries(
        Object.keys(operations).map((operation) => [
          operation,
          allowedToOwner.has(operation) ? "allowed" : "42501",
        ]),
      ),
    );
  });
});

describe("docs/refusals.md", () => {
  /** What becomes of an operation, in all trails that know it. */
  const outcomesOf = (role: string, operation: string) =>
    matrix.get(role)?.get(operation) ?? new Map<TrailName, string>();
  // Of all operations the first trail has the most.
  const operations = Object.keys(operationsOf("audit_log"));

  test("may have one table, because all trails are equal", () => {
    for (const [role, row] of matrix) {
      expect([...row.keys()].sort(), role).toEqual([...operations].sort());
      for (const [operation, outcomes] of row) {
        const column = operation.replace("insert ", "");
        expect([...outcomes.keys()], operation).toEqual(columnsOfSome[column] ?? trailNames);
        expect(new Set(outcomes.values()).size, `${role}: ${operation}`).toBe(1);
      }
    }
  });

  test("says what was refused", async () => {
    const names = [...matrix.keys()];
    expect(names).toEqual([...Object.keys(roles), "pgtrail_owner"]);
    const table = [
      "# Who is refused what",
      "",
      "Generated from a run of every statement as every role (`tests/integration/refusals.test.ts`); a test keeps it equal.",
      "It is the same for every trail that pgtrail brings along; where not all have a column, those that have it are named.",
      "42501 is `insufficient_privilege`, which PostgREST answers with 403. What the owner is allowed is what Postgres",
      "allows every owner of a table: pgtrail_owner cannot log in, and acting as it is for administrators.",
      "",
      `| operation | ${names.join(" | ")} |`,
      `| --- |${" --- |".repeat(names.length)}`,
      ...operations.map((operation) => {
        const some = columnsOfSome[operation.replace("insert ", "")];
        const cells = names.map((name) => [...outcomesOf(name, operation).values()][0]);
        return `| ${operation}${some ? ` (${some.join(", ")})` : ""} | ${cells.join(" | ")} |`;
      }),
      "",
    ].join("\n");
    await expect(table).toMatchFileSnapshot("../../docs/refusals.md");
  });
});

describe.each(trailNames)("session_replication_role = replica opens no door to %s", (trail) => {
  const operations = operationsOf(trail);

  test.each([
    "update",
    "delete",
    "merge: update",
    "merge: delete",
    "truncate",
    "update a partition",
    "delete from a partition",
    "truncate a partition",
  ])("%s", async (operation) => {
    await recordOne(trail);
    const client = await database.superuser.connect();
    try {
      await client.query("begin");
      await client.query("set local session_replication_role = replica");
      await client.query("set local role pgtrail_owner");
      expect((await attempt(client, String(operations[operation]))).code).toBe("42501");
    } finally {
      await client.query("rollback");
      client.release();
    }
  });

  test.each([
    ["the table", "", `public.${trail}`],
    ["a partition", " a partition", partitionOf(trail)],
  ])("a change of %s applied by replication meets the row guard", async (_name, suffix, table) => {
    await recordOne(trail);
    const client = await database.superuser.connect();
    try {
      await client.query("begin");
      // Apply workers fire row triggers only: without the statement guard the row guard must refuse.
      await client.query(`drop trigger refuse_change_of_statement on ${table}`);
      await client.query("set local session_replication_role = replica");
      for (const operation of [`update${suffix}`, suffix ? `delete from${suffix}` : "delete"]) {
        expect((await attempt(client, String(operations[operation]))).code).toBe("42501");
      }
    } finally {
      await client.query("rollback");
      client.release();
    }
  });
});
