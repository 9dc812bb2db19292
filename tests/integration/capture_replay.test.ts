import fc from "fast-check";
import pg from "pg";
import { expect, test } from "vitest";
import { useDatabase } from "../harness/index.js";

const database = useDatabase(undefined, { profiled: false });
const { escapeIdentifier: name, escapeLiteral: literal } = pg;

/** Literals of each type: few enough that updates often change nothing and keys often collide. */
const literals: Record<string, string[]> = {
  int: ["0", "1", "-7", "2147483647"],
  bigint: ["0", "9007199254740993", "-9223372036854775808"],
  numeric: ["1.0", "1.00", "0.1", "NaN", "123456789012345678901234567890.5"],
  text: ["", "a", "A", "null", "'q' \"d\" \\x", "é 🙂\n", "{}", "1"],
  uuid: [1, 2, 3, 4].map((n) => `00000000-0000-4000-8000-00000000000${n}`),
  boolean: ["true", "false"],
  timestamptz: ["2026-03-29 01:30:00.000001Z", "1999-12-31 23:59:59Z", "infinity"],
  date: ["2026-02-03", "1999-12-31", "0044-03-15 BC"],
  interval: ["1 day 02:03:04", "-1 mons", "0"],
  "double precision": ["0.1", "-0", "1e300", "0.30000000000000004"],
  jsonb: ["null", '{"old": 1}', '{"new": null}', "[1.0]", "[1.00]", '"text"'],
  json: ["null", '{"a":1}', '{ "a": 1 }', '{"a":1,"a":2}'],
  "text[]": ["{}", '{a,NULL,"b,c"}', "{{x},{y}}"],
  bytea: ["\\x", "\\x00ff", "\\x5c6162"],
  int4range: ["empty", "[1,5)", "(,3]"],
  tstzrange: ["[2026-01-01Z,2026-06-01Z)", "empty"],
  "public.mood": ["calm", "it's", 'so "so"'],
};
const keyTypes = ["int", "text", "uuid", "timestamptz"];
const oddNames = [
  ...["plain", "Upper", "with space", 'quo"te', "apos'trophe", "per%cent", "%1$s", "back\\slash"],
  ...["select", "old", "new", "v_key", "key", "tg_op", "$body$", "ünï", "*"],
];
const settings: Record<string, string[]> = {
  TimeZone: ["UTC", "America/New_York", "Asia/Kathmandu"],
  DateStyle: ["ISO, MDY", "German, DMY", "SQL, DMY", "Postgres, MDY"],
  IntervalStyle: ["postgres", "iso_8601", "sql_standard", "postgres_verbose"],
  bytea_output: ["hex", "escape"],
  extra_float_digits: ["1", "-15"],
};

interface Column {
  /** Never reused: a history by names cannot tell a column from its namesake. */
  name: string;
  type: string;
}

/** A table as the test knows it. The first `keys` columns are its primary key. */
interface Table {
  relation: string;
  entityType: string;
  keys: number;
  columns: Column[];
}

const columnNames = (columns: Column[]) => columns.map((column) => name(column.name)).join(", ");

const statement = fc.record({
  kind: fc.constantFrom("insert", "insert", "upsert", "skip", "update", "update", "key", "delete"),
  /** Choose columns and values; any number will do. */
  seeds: fc.array(fc.nat(1000), { minLength: 24, maxLength: 24 }),
  rows: fc.integer({ min: 1, max: 3 }),
  set: fc.option(
    fc.constantFrom(...Object.keys(settings)).chain((setting) => {
      return fc.constantFrom(...(settings[setting] ?? [])).map((value) => ({ setting, value }));
    }),
  ),
});
type Statement = typeof statement extends fc.Arbitrary<infer T> ? T : never;

const transaction = fc.record({
  kind: fc.constant("transaction" as const),
  statements: fc.array(statement, { minLength: 1, maxLength: 3 }),
  rollback: fc.nat(5).map((n) => n === 0),
});
const alteration = fc.record({
  kind: fc.constantFrom("add" as const, "drop" as const, "rename" as const, "add" as const),
  seed: fc.nat(1000),
  refresh: fc.boolean(),
});
type Alteration = typeof alteration extends fc.Arbitrary<infer T> ? T : never;

const schema = fc.record({
  names: fc.shuffledSubarray(oddNames, { minLength: 9, maxLength: oddNames.length }),
  keys: fc.array(fc.constantFrom(...keyTypes), { minLength: 1, maxLength: 2 }),
  others: fc.array(fc.constantFrom(...Object.keys(literals)), { minLength: 1, maxLength: 6 }),
});

/** The SQL of a statement, given the columns as they are now. */
function toSql({ relation, keys, columns }: Table, { kind, seeds, rows }: Statement): string {
  let next = 0;
  const draw = () => seeds[next++ % seeds.length] ?? 0;
  const value = ({ type }: Column, nullable: boolean) => {
    const pool = literals[type] ?? [];
    const seed = draw() + next;
    if (nullable && seed % 4 === 0) return "null";
    return `${literal(pool[seed % pool.length] ?? "")}::${type}`;
  };
  const [key, others] = [columns.slice(0, keys), columns.slice(keys)];
  const where = () =>
    draw() % 4 === 0
      ? "true"
      : key.map((column) => `${name(column.name)} = ${value(column, false)}`).join(" or ");
  const assignments = (of: Column[], nullable: boolean) =>
    of.map((column) => `${name(column.name)} = ${value(column, nullable)}`).join(", ");
  const some = () => others.filter((_, i) => i === 0 || draw() % 2 === 0);

  switch (kind) {
    case "update":
      return others.length > 0
        ? `update ${relation} set ${assignments(some(), true)} where ${where()}`
        : `update ${relation} set ${assignments(key.slice(0, 1), false)} where ${where()}`;
    case "key":
      return `update ${relation} set ${assignments([...key, ...some()].slice(0, 3), false)} where ${where()}`;
    case "delete":
      return `delete from ${relation} where ${where()}`;
    default: {
      const tuples = Array.from({ length: rows }, () => {
        const values = columns.map((column, i) => value(column, i >= keys));
        return `(${values.join(", ")})`;
      });
      const conflict = {
        insert: "",
        skip: "on conflict do nothing",
        upsert:
          others.length > 0
            ? `on conflict (${columnNames(key)}) do update set ${assignments(some(), true)}`
            : "on conflict do nothing",
      }[kind];
      return `insert into ${relation} (${columnNames(columns)}) values ${tuples.join(", ")} ${conflict}`;
    }
  }
}

/** Runs statements as a user, in one transaction. Says whether it took place. */
async function run(sql: string[], set: Statement["set"][], rollback: boolean): Promise<boolean> {
  try {
    await database.as(
      "coordinatorA",
      async (client) => {
        for (const [i, text] of sql.entries()) {
          const changed = set[i];
          if (changed) {
            await client.query("select set_config($1, $2, true)", [changed.setting, changed.value]);
          }
          await client.query(text);
        }
      },
      { rollback },
    );
    return !rollback;
  } catch (error) {
    // Keys collide, with another row or within an upsert: then nothing happened.
    expect(["23505", "21000"], String(error)).toContain((error as { code?: string }).code);
    return false;
  }
}

/** A row: column name to JSON, as text, which keeps 1.0 and 1.00 apart. NULL is left out. */
type Row = Record<string, string>;
type Rows = Record<string, Row>;

function toRow(columns: Array<[string, string | null]>): Row {
  return Object.fromEntries(
    columns.filter((pair): pair is [string, string] => pair[1] !== null && pair[1] !== "null"),
  );
}

const each = (json: string) =>
  `(select coalesce(json_agg(json_build_array(key, value::text)), '[]') from jsonb_each(${json}))`;

/** The rows of a table by entity_id, and the time, between two statements. */
async function snapshot({ relation, keys, columns }: Table): Promise<{ at: string; rows: Rows }> {
  const key = columns.slice(0, keys).map((column) => name(column.name));
  const id = key.length === 1 ? `to_jsonb(${key}) #>> '{}'` : `jsonb_build_array(${key})::text`;
  return database.as("auditor", async (client) => {
    await client.query("set local timezone = 'UTC'; set local bytea_output = 'hex'");
    const found = await client.query<{ id: string; columns: Array<[string, string]> }>(
      `select ${id} as id, ${each("to_jsonb(present)")} as columns from ${relation} as present`,
    );
    const time = await client.query<{ at: string }>(
      `select to_char(clock_timestamp(), 'YYYY-MM-DD"T"HH24:MI:SS.USOF') as at`,
    );
    return {
      at: time.rows[0]?.at ?? "",
      rows: Object.fromEntries(found.rows.map((row) => [row.id, toRow(row.columns)])),
    };
  });
}

interface Entry {
  action: string;
  id: string;
  changes: Array<[column: string, oldValue: string | null, newValue: string | null]>;
}

async function entriesOf(table: Table): Promise<Entry[]> {
  const { rows } = await database.as("auditor", (client) =>
    client.query<Entry>(
      `select split_part(action, '.', 2) as action, entity_id as id, (
         select coalesce(json_agg(
           json_build_array(key, (value -> 'old')::text, (value -> 'new')::text) order by key), '[]')
         from jsonb_each(changes)) as changes
       from public.audit_log where entity_type = $1 order by audit_log.id`,
      [table.entityType],
    ),
  );
  return rows;
}

/** Applies an entry to rows. */
function replay(rows: Rows, { action, id, changes }: Entry): void {
  const news = changes.map(([column, , value]): [string, string | null] => [column, value]);
  switch (action) {
    case "inserted":
    case "rekeyed_to":
      expect(Object.keys(rows)).not.toContain(id);
      rows[id] = toRow(news);
      break;
    case "updated": {
      const row = rows[id];
      if (!row) throw new Error(`update of ${id}, which is not there`);
      for (const [column, before] of changes) {
        expect(row[column] ?? null).toBe(before === "null" ? null : before);
      }
      const untouched = Object.entries(row).filter(([c]) => !news.some(([name]) => name === c));
      rows[id] = toRow([...untouched, ...news]);
      break;
    }
    case "deleted":
    case "rekeyed_from":
      expect(rows[id]).toEqual(toRow(changes.map(([column, before]) => [column, before])));
      delete rows[id];
      break;
    default:
      throw new Error(`unexpected ${action}`);
  }
}

let tables = 0;
let alterations = 0;

/** Creates a table and tracks it. */
async function createTable(drawn: typeof schema extends fc.Arbitrary<infer T> ? T : never) {
  tables++;
  const types = [...drawn.keys, ...drawn.others];
  const table: Table = {
    relation: `public."replayed '${tables}"`,
    entityType: `public.replayed '${tables}`,
    keys: drawn.keys.length,
    columns: types.map((type, i) => ({ type, name: drawn.names[i] ?? `column ${i}` })),
  };
  const columns = table.columns.map((column) => `${name(column.name)} ${column.type}`);
  await database.superuser.query(`
    do $$ begin
      if to_regtype('public.mood') is null then
        create type public.mood as enum (${literals["public.mood"]?.map(literal).join(", ")});
      end if;
    end $$;
    create table ${table.relation} (${columns.join(", ")},
      primary key (${columnNames(table.columns.slice(0, table.keys))}));
    grant all on ${table.relation} to authenticated;
    grant select on ${table.relation} to pgtrail_auditor`);
  await database.superuser.query("select pgtrail.track($1::regclass)", [table.relation]);
  return table;
}

/** Alters a table. Says how its rows look to the eyes of the new names. */
async function alter(
  table: Table,
  { kind, seed, refresh }: Alteration,
): Promise<(row: Row) => Row> {
  const others = table.columns.slice(table.keys);
  const fresh = `it's "new" %s ${alterations++}`;
  const types = Object.keys(literals);
  let view = (row: Row): Row => row;
  let sql: string | undefined;
  if (kind === "add") {
    // Without a default: what a default gives the rows that are there, no trigger sees.
    const column = { name: fresh, type: types[seed % types.length] ?? "text" };
    sql = `add column ${name(column.name)} ${column.type}`;
    table.columns.push(column);
  } else if (kind === "drop" && others.length > 0) {
    const [gone] = table.columns.splice(table.keys + (seed % others.length), 1);
    sql = `drop column ${name(gone?.name ?? "")}`;
    view = ({ [gone?.name ?? ""]: _, ...row }) => row;
  } else if (kind === "rename") {
    const column = table.columns[seed % table.columns.length] as Column;
    const before = column.name;
    sql = `rename column ${name(before)} to ${name(fresh)}`;
    column.name = fresh;
    view = ({ [before]: value, ...row }) =>
      value === undefined ? row : { ...row, [fresh]: value };
  }
  if (sql) await database.superuser.query(`alter table ${table.relation} ${sql}`);
  if (refresh) await database.superuser.query("select pgtrail.refresh_tracking()");
  return view;
}

test("replaying the entries gives the table, and row_at every state it had", async () => {
  let happened = 0;
  await fc.assert(
    fc.asyncProperty(
      schema,
      fc.array(
        fc.oneof({ weight: 5, arbitrary: transaction }, { weight: 2, arbitrary: alteration }),
        {
          minLength: 4,
          maxLength: 14,
        },
      ),
      async (drawn, steps) => {
        const table = await createTable(drawn);
        const views: Array<{ after: number; view: (row: Row) => Row }> = [];
        const states = [{ ...(await snapshot(table)), names: table.columns.map((c) => c.name) }];
        for (const step of steps) {
          if (step.kind === "transaction") {
            const sql = step.statements.map((each) => toSql(table, each));
            const sets = step.statements.map((each) => each.set);
            if (await run(sql, sets, step.rollback)) happened++;
          } else {
            const after = (await entriesOf(table)).length;
            views.push({ after, view: await alter(table, step) });
          }
          states.push({ ...(await snapshot(table)), names: table.columns.map((c) => c.name) });
        }

        const rows: Rows = {};
        const entries = await entriesOf(table);
        for (let i = 0; i <= entries.length; i++) {
          for (const { view } of views.filter((each) => each.after === i)) {
            for (const [id, row] of Object.entries(rows)) rows[id] = view(row);
          }
          const entry = entries[i];
          if (entry) replay(rows, entry);
        }
        expect(rows).toEqual(states.at(-1)?.rows);

        const ids = [...new Set(states.flatMap((state) => Object.keys(state.rows)))];
        const found = await database.as("auditor", async (client) => {
          // Whatever the reader has set: keys and values are those of the entries.
          await client.query(
            "set local timezone = 'Asia/Tokyo'; set local datestyle = 'SQL, DMY'; set local bytea_output = 'escape'",
          );
          return client.query<{
            state: number;
            id: string;
            columns: Array<[string, string]> | null;
          }>(
            `select moment.ordinality::int - 1 as state, key.id,
               case when row is not null then ${each("row")} end as columns
             from unnest($2::text[]) as key (id)
             cross join unnest($3::timestamptz[]) with ordinality as moment (at)
             cross join pgtrail.row_at($1::regclass, key.id, moment.at) as row`,
            [table.relation, ids, states.map((state) => state.at)],
          );
        });
        const now = new Set(table.columns.map((column) => column.name));
        const comparable = (row: Row | undefined, names: string[]) =>
          row &&
          Object.fromEntries(
            Object.entries(row).filter(([column]) => names.includes(column) && now.has(column)),
          );
        for (const { state, id, columns } of found.rows) {
          const { rows = {}, names = [] } = states[state] ?? {};
          const told = columns ? toRow(columns) : undefined;
          expect(comparable(told, names), `${id} at state ${state}`).toEqual(
            comparable(rows[id], names),
          );
        }
      },
    ),
    { numRuns: 25 },
  );
  // Otherwise all of it would be about empty tables.
  expect(happened).toBeGreaterThan(25);
});

test("before refresh_tracking() the same is captured as after it", async () => {
  let captured = 0;
  await fc.assert(
    fc.asyncProperty(
      schema,
      fc.array(statement, { minLength: 3, maxLength: 12 }),
      async (drawn, statements) => {
        const [refreshed, stale] = [await createTable(drawn), await createTable(drawn)];
        for (const { relation } of [refreshed, stale]) {
          await database.superuser.query(
            `alter table ${relation} add column gone int; alter table ${relation} drop column gone`,
          );
          if (relation === refreshed.relation) {
            await database.superuser.query("select pgtrail.refresh_tracking()");
          }
        }
        for (const each of statements) {
          const took = await run([toSql(refreshed, each)], [each.set], false);
          expect(await run([toSql(stale, each)], [each.set], false)).toBe(took);
        }
        // Of a column of type json, the row as JSON does not show white space, nor null from NULL.
        const json = new Set(
          refreshed.columns.filter(({ type }) => type.startsWith("json")).map(({ name }) => name),
        );
        const visible = (entries: Entry[]) =>
          entries
            .map((entry) => ({
              ...entry,
              changes: entry.changes
                .map(([column, ...sides]) => [
                  column,
                  ...sides.map((side) => (json.has(column) && side === "null" ? null : side)),
                ])
                .filter(([column, before, after]) => !json.has(column ?? "") || before !== after),
            }))
            .filter((entry) => entry.action !== "updated" || entry.changes.length > 0)
            .map((entry) => ({
              ...entry,
              changes: entry.changes.map(([column, ...sides]) =>
                json.has(column ?? "")
                  ? [column, ...sides.map((side) => side ?? "null")]
                  : [column, ...sides],
              ),
            }));
        const fast = visible(await entriesOf(refreshed));
        captured += fast.length;
        expect(visible(await entriesOf(stale))).toEqual(fast);
      },
    ),
    { numRuns: 25 },
  );
  expect(captured).toBeGreaterThan(25);
});
