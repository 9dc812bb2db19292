import type pg from "pg";
import { createPlainTable, insertStatement, insertValues } from "./entries.js";
import { drive, interleave, median, ratios, type Slice } from "./measure.js";
import type { Report } from "./report.js";
import type { BenchServer } from "./server.js";

/** A way to write a function of pgtrail, made as bench.<name>. */
interface Form {
  label: string;
  /** Language, settings and body; none for what is there already. */
  definition?: string;
  /** Expression that gives the value, when it is not a call of bench.<name>. */
  expression?: string;
}

const MILLISECONDS = "(extract(epoch from at) * 1000)::bigint";
const AS_BYTES = `encode(
  overlay(uuid_send(gen_random_uuid()) placing int8send(${MILLISECONDS} << 16 | 28672) from 1), 'hex')::uuid`;
const AS_TEXT = `(lpad(to_hex(${MILLISECONDS}), 12, '0') || '7' || substr(gen_random_uuid()::text, 16))::uuid`;
const PINNED = "set search_path = ''";

const ID_FORMS: Record<string, Form> = {
  random: { label: "gen_random_uuid()", expression: "gen_random_uuid()" },
  shipped: { label: "pgtrail.uuid7()", expression: "pgtrail.uuid7()" },
  empty: {
    label: "plpgsql, pinned, nothing but gen_random_uuid()",
    definition: `language plpgsql ${PINNED} as $$ begin return gen_random_uuid(); end $$`,
  },
  bytes: {
    label: "plpgsql, pinned, bytes, milliseconds only",
    definition: `language plpgsql ${PINNED} as $$ begin return ${AS_BYTES}; end $$`,
  },
  bytes_unpinned: {
    label: "plpgsql, bytes, milliseconds only",
    definition: `language plpgsql as $$ begin return ${AS_BYTES}; end $$`,
  },
  text: {
    label: "plpgsql, pinned, text, milliseconds only",
    definition: `language plpgsql ${PINNED} as $$ begin return ${AS_TEXT}; end $$`,
  },
  sql_pinned: {
    label: "SQL, pinned, bytes, milliseconds only",
    definition: `language sql ${PINNED} return ${AS_BYTES}`,
  },
  sql: {
    label: "SQL that is inlined, bytes, milliseconds only",
    definition: `language sql return ${AS_BYTES}`,
  },
};

const TIME = `to_timestamp(
  ('x' || encode(substr(uuid_send(id), 1, 6), 'hex'))::bit(48)::bigint / 1000.0::float8)`;

const TIME_FORMS: Record<string, Form> = {
  none: { label: "a default, not generated" },
  time_shipped: { label: "pgtrail.uuid7_time(id)", expression: "pgtrail.uuid7_time(id)" },
  time_empty: {
    label: "plpgsql, pinned, a constant",
    definition: `language plpgsql ${PINNED} as $$ begin return '2026-01-01'; end $$`,
  },
  time_unpinned: {
    label: "plpgsql, same body",
    definition: `language plpgsql as $$ begin return ${TIME}; end $$`,
  },
  time_sql_pinned: {
    label: "SQL, pinned, same body",
    definition: `language sql ${PINNED} return ${TIME}`,
  },
  time_sql: { label: "SQL that is inlined, same body", definition: `language sql return ${TIME}` },
  time_bare: { label: "the bare expression", expression: TIME },
};

const CALLS = 100_000;

/** Compares ways to write `pgtrail.uuid7` and `pgtrail.uuid7_time`: a call, and an INSERT of one row. */
export async function ids(server: BenchServer, short: boolean): Promise<Report> {
  const rounds = short ? 3 : 9;
  const database = await server.createDatabase("bench_ids");
  try {
    const { superuser } = database;
    await superuser.query("create schema bench");
    await define(
      superuser,
      ID_FORMS,
      "(at timestamptz default clock_timestamp()) returns uuid volatile",
    );
    await define(superuser, TIME_FORMS, "(id uuid) returns timestamptz immutable strict");
    await superuser.query(
      `create table bench.ids as select pgtrail.uuid7() as id from generate_series(1, ${CALLS})`,
    );

    const calls = await interleave(rounds, {
      nothing: () => timeOfCalls(superuser, "id"),
      ...callsOf(superuser, ID_FORMS, "()"),
      ...callsOf(superuser, TIME_FORMS, "(id)"),
    });
    const writer = await database.connect({ role: "service_role" });
    await writer.query("set synchronous_commit = off");
    const idInserts = await inserts(superuser, writer, rounds, ID_FORMS, (name, form) => [
      `alter table bench.${name} alter id set default ${form.expression ?? `bench.${name}()`}`,
    ]);
    const timeInserts = await inserts(superuser, writer, rounds, TIME_FORMS, (name, form) => [
      `alter table bench.${name} drop occurred_at`,
      `alter table bench.${name} add occurred_at timestamptz ${
        form.definition || form.expression
          ? `generated always as (${form.expression ?? `bench.${name}(id)`}) stored`
          : "default clock_timestamp()"
      }`,
    ]);

    return {
      title: "ways to make an id and to read its time",
      setup:
        "A call: processor-bound, many in one query, less the query itself. An INSERT: one row a transaction, one client, " +
        "`synchronous_commit = off`, into plain tables that differ in nothing else; processor time of the backend. " +
        `Pinned: with \`${PINNED}\`. Medians of ${rounds} rounds, each in turn. Most of the cost in an INSERT is not ` +
        "the body: a function is looked up and set up again for every statement.",
      tables: [
        table("Default of the id", ID_FORMS, calls, idInserts),
        table("Generated time", TIME_FORMS, calls, timeInserts),
      ],
      raw: { calls, idInserts, timeInserts },
    };
  } finally {
    await database.drop();
  }
}

async function define(client: pg.Client, forms: Record<string, Form>, signature: string) {
  for (const [name, { definition }] of Object.entries(forms)) {
    if (definition) await client.query(`create function bench.${name}${signature} ${definition}`);
  }
}

function callsOf(client: pg.Client, forms: Record<string, Form>, parameters: string) {
  const written = Object.entries(forms).filter(([, form]) => form.definition || form.expression);
  return Object.fromEntries(
    written.map(([name, { expression }]) => [
      name,
      () => timeOfCalls(client, expression ?? `bench.${name}${parameters}`),
    ]),
  );
}

/** Microseconds for one row of a query that computes the expression for many. */
async function timeOfCalls(client: pg.Client, expression: string): Promise<number> {
  const { rows } = await client.query(
    `explain (analyze, timing off, buffers off, format json) select count(${expression}) from bench.ids`,
  );
  return (rows[0]["QUERY PLAN"][0]["Execution Time"] * 1000) / CALLS;
}

/** Inserts into one plain table for each form, altered by the statements given for it. */
async function inserts(
  superuser: pg.Client,
  writer: pg.Client,
  rounds: number,
  forms: Record<string, Form>,
  statements: (name: string, form: Form) => string[],
): Promise<Record<string, Slice[]>> {
  const values = insertValues(1);
  const alternatives: Record<string, () => Promise<Slice>> = {};
  for (const [name, form] of Object.entries(forms)) {
    await createPlainTable(superuser, name);
    for (const statement of statements(name, form)) await superuser.query(statement);
    for (const prepared of [true, false]) {
      alternatives[variant(name, prepared)] = () =>
        drive([writer], 300, async () => {
          const text = insertStatement(`bench.${name}`, 1);
          await writer.query({ ...(prepared ? { name } : {}), text, values: values() });
          return 1;
        });
    }
  }
  return interleave(rounds, alternatives);
}

function variant(name: string, prepared: boolean): string {
  return prepared ? name : `${name}, not prepared`;
}

function table(
  title: string,
  forms: Record<string, Form>,
  calls: Record<string, number[]>,
  slices: Record<string, Slice[]>,
) {
  const cpu = (name: string) => (slices[name] ?? []).map((slice) => slice.cpuPerRow ?? Number.NaN);
  const [baseline = ""] = Object.keys(forms);
  const cells = (name: string, prepared: boolean) => {
    const times = cpu(variant(name, prepared));
    return [
      median(times).toFixed(1),
      median(ratios(times, cpu(variant(baseline, prepared)))).toFixed(2),
    ];
  };
  return {
    title,
    columns: [
      "form",
      "a call, us",
      "INSERT CPU us/row",
      `against ${forms[baseline]?.label}`,
      "not prepared, CPU us/row",
      `against ${forms[baseline]?.label}`,
    ],
    rows: Object.entries(forms).map(([name, { label }]) => {
      const nothing = median(calls.nothing ?? []);
      const call = calls[name] ? (median(calls[name]) - nothing).toFixed(2) : "";
      return [label, call, ...cells(name, true), ...cells(name, false)];
    }),
  };
}
