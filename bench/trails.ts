import type pg from "pg";
import {
  copyToPlain,
  createPlainTable,
  insertJsonStatement,
  insertJsonValues,
  insertStatement,
  insertValues,
  loadEntries,
  withoutIndexes,
} from "./entries.js";
import { drive, interleave, median, quantile, ratios, type Slice } from "./measure.js";
import { type Report, verdict } from "./report.js";
import type { BenchDatabase, BenchServer } from "./server.js";
import { DOMAIN_TRAILS, ORGANISATIONS, type Shape } from "./shapes.js";

const MONTHS = 60;
const TARGET = 0.9;
const ALL = "all indexes";

interface Case {
  rows: 1 | 100;
  clients: 1 | 4;
  durability: "default" | "synchronous_commit = off";
}

/** What was measured of a case, one slice a round. */
interface Inserts {
  shape: Shape;
  case: Case;
  plain: Slice[];
  trail: Slice[];
}

const CASES: Case[] = (["default", "synchronous_commit = off"] as const).flatMap((durability) =>
  ([1, 100] as const).flatMap((rows) =>
    ([1, 4] as const).map((clients) => ({ rows, clients, durability })),
  ),
);

/** Compares writing to the trails besides audit_log with writing to plain tables, with all indexes and without each. */
export async function trails(server: BenchServer, short: boolean): Promise<Report> {
  const preloaded = short ? 50_000 : 300_000;
  const rounds = short ? 1 : 7;
  const milliseconds = short ? 150 : 600;
  const database = await server.createDatabase("bench_trails");
  try {
    const owner = await database.connect({ role: "pgtrail_owner" });
    const { superuser } = database;
    for (const shape of DOMAIN_TRAILS) {
      const load = { entries: preloaded, months: MONTHS, large: 1 / ORGANISATIONS };
      await withoutIndexes(owner, shape, () => loadEntries(owner, load, shape));
      await createPlainTable(superuser, shape.trail, shape);
      await copyToPlain(superuser, shape.trail, shape);
    }
    await superuser.query("vacuum analyze");
    await superuser.query("checkpoint");
    const writers = await Promise.all(
      Array.from({ length: 4 }, () => database.connect({ role: "service_role" })),
    );

    const results: Inserts[] = [];
    for (const shape of DOMAIN_TRAILS) {
      for (const each of CASES) {
        const clients = writers.slice(0, each.clients);
        const setting = each.durability === "default" ? "on" : "off";
        for (const client of clients) await client.query(`set synchronous_commit = ${setting}`);
        const slices = await interleave(rounds, {
          plain: () =>
            drive(clients, milliseconds, writer(`bench.${shape.trail}`, each.rows, shape)),
          trail: () =>
            drive(clients, milliseconds, writer(`public.${shape.trail}`, each.rows, shape)),
        });
        results.push({ shape, case: each, plain: slices.plain ?? [], trail: slices.trail ?? [] });
      }
    }
    const indexes = [];
    for (const shape of DOMAIN_TRAILS) {
      indexes.push({ shape, costs: await indexCosts(database, owner, shape, short) });
    }

    return {
      title: "inserting into the other trails against plain tables",
      setup:
        "Plain: same columns, defaults and indexes, not partitioned, `gen_random_uuid()` key, no checks, no guards, " +
        `no row level security. All hold ${preloaded.toLocaleString("en")} entries of ${MONTHS} months beforehand; ` +
        `${ORGANISATIONS} organisations. Direct INSERT by service_role, one prepared statement a transaction, 100 rows as one JSON ` +
        `parameter, closed loop, all clients in one Node process on the same machine. ${rounds} rounds of ${milliseconds / 1000} s for each ` +
        "table in turn; the ratio is the median of the rounds (quartiles in brackets). CPU is the backends' processor time " +
        "for a row. What an index costs: copies of a trail made by pgtrail.create_trail, one with all indexes and one each " +
        "without one of them; one client, `synchronous_commit = off`, everything written into one partition.",
      tables: [
        ...DOMAIN_TRAILS.map((shape) => ({
          title: shape.trail,
          columns: [
            "durability",
            "rows/transaction",
            "clients",
            "plain rows/s",
            "trail rows/s",
            "ratio",
            "target",
            "plain CPU us/row",
            "trail CPU us/row",
          ],
          rows: results.filter((result) => result.shape === shape).map(row),
        })),
        {
          title: "What each index costs",
          columns: [
            "trail",
            "index",
            "1 row, CPU us with it",
            "without it",
            "the index",
            "100 rows, CPU us/row with it",
            "without it",
            "the index",
          ],
          rows: indexes.flatMap(({ shape, costs }) => indexRows(shape, costs)),
        },
      ],
      raw: {
        inserts: results.map(({ shape, ...result }) => ({ table: shape.trail, ...result })),
        indexes: indexes.map(({ shape, costs }) => ({ table: shape.trail, ...costs })),
      },
    };
  } finally {
    await database.drop();
  }
}

function writer(table: string, rows: 1 | 100, shape: Shape) {
  const text = rows === 1 ? insertStatement(table, 1, shape) : insertJsonStatement(table, shape);
  const values = rows === 1 ? insertValues(1, shape) : insertJsonValues(rows, shape);
  const name = `${table} ${rows}`;
  return async (client: pg.Client) => {
    await client.query({ name, text, values: values() });
    return rows;
  };
}

/** By number of rows, then by what is missing. */
type IndexCosts = Record<"1" | "100", Record<string, Slice[]>>;

/** Writes to copies of a trail, each without one of its indexes. */
async function indexCosts(
  { superuser, connect }: BenchDatabase,
  owner: pg.Client,
  shape: Shape,
  short: boolean,
): Promise<IndexCosts> {
  const { rows: indexes } = await superuser.query(
    `select indisprimary, substring(pg_get_indexdef(indexrelid) from ' btree (.*)$') as columns
     from pg_index where indrelid = $1::regclass
     order by indisprimary desc, columns`,
    [`public.${shape.trail}`],
  );
  const columns: string[] = indexes.map((index) => index.columns);
  const tables: Record<string, string> = {};
  for (const [n, missing] of [ALL, ...columns].entries()) {
    const copy = { ...shape, trail: `copy_${n}_of_${shape.trail}` };
    await copyTrail(superuser, shape.trail, copy.trail, columns, missing);
    await loadEntries(owner, { entries: short ? 1_000 : 20_000, months: 0, large: 0.01 }, copy);
    tables[missing] = `public.${copy.trail}`;
  }
  const client = await connect({ role: "service_role" });
  await client.query("set synchronous_commit = off");
  const alternatives = (rows: 1 | 100) =>
    Object.fromEntries(
      Object.entries(tables).map(([missing, table]) => [
        missing,
        () => drive([client], short ? 50 : 300, writer(table, rows, shape)),
      ]),
    );
  const rounds = short ? 1 : 11;
  return {
    "1": await interleave(rounds, alternatives(1)),
    "100": await interleave(rounds, alternatives(100)),
  };
}

/** Makes a trail like another with its indexes, which are named by what is behind "btree", but one. */
async function copyTrail(
  superuser: pg.Client,
  trail: string,
  name: string,
  indexes: string[],
  missing: string,
): Promise<void> {
  await superuser.query(`
    create table public.${name} (
        like public.${trail} including defaults including generated including constraints, primary key (id)
    ) partition by range (id);
    select pgtrail.create_trail('public.${name}', organisation_column, erasable, digested)
    from pgtrail.trail
    where trail_name = '${trail}'`);
  const { rows } = await superuser.query(
    `select indexrelid::regclass as name, conname, substring(pg_get_indexdef(indexrelid) from ' btree (.*)$') as columns
     from pg_index
     left join pg_constraint on conindid = indexrelid and conrelid = indrelid
     where indrelid = $1::regclass`,
    [`public.${name}`],
  );
  for (const columns of indexes) {
    const made = rows.find((index) => index.columns === columns);
    if (columns !== missing) {
      if (!made) await superuser.query(`create index on public.${name} using btree ${columns}`);
    } else if (made?.conname) {
      await superuser.query(`alter table public.${name} drop constraint ${made.conname}`);
    } else if (made) {
      await superuser.query(`drop index ${made.name}`);
    }
  }
}

function row({ case: { rows, clients, durability }, plain, trail }: Inserts): string[] {
  const ratio = ratios(
    trail.map((slice) => slice.rowsPerSecond),
    plain.map((slice) => slice.rowsPerSecond),
  );
  const speed = (slices: Slice[]) => Math.round(median(slices.map((slice) => slice.rowsPerSecond)));
  return [
    durability,
    String(rows),
    String(clients),
    speed(plain).toLocaleString("en"),
    speed(trail).toLocaleString("en"),
    `${median(ratio).toFixed(2)} (${quantile(ratio, 0.25).toFixed(2)} to ${quantile(ratio, 0.75).toFixed(2)})`,
    verdict(median(ratio) >= TARGET, `>= ${TARGET.toFixed(2)}`),
    median(cpu(plain)).toFixed(1),
    median(cpu(trail)).toFixed(1),
  ];
}

function indexRows({ trail }: Shape, costs: IndexCosts): string[][] {
  return Object.keys(costs["1"])
    .filter((missing) => missing !== ALL)
    .map((missing) => [
      trail,
      missing,
      ...(["1", "100"] as const).flatMap((rows) => {
        const whole = cpu(costs[rows][ALL]);
        const without = cpu(costs[rows][missing]);
        const differences = whole.map((time, round) => time - (without[round] ?? Number.NaN));
        return [whole, without, differences].map((times) => median(times).toFixed(1));
      }),
    ]);
}

function cpu(slices: Slice[] = []): number[] {
  return slices.map((slice) => slice.cpuPerRow ?? Number.NaN);
}
