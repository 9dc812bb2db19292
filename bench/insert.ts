import type pg from "pg";
import {
  copyToPlain,
  createPlainTable,
  insertJsonStatement,
  insertJsonValues,
  insertStatement,
  insertValues,
  loadEntries,
} from "./entries.js";
import { drive, interleave, median, quantile, ratios, type Slice } from "./measure.js";
import { type Report, verdict } from "./report.js";
import type { BenchServer } from "./server.js";
import { ORGANISATIONS } from "./shapes.js";

const MONTHS = 60;

interface Case {
  rows: 1 | 100;
  clients: number;
  durability: "default" | "synchronous_commit = off";
  form: "prepared" | "not prepared" | "one JSON parameter";
}

const DURABILITIES = ["default", "synchronous_commit = off"] as const;

const CASES: Case[] = DURABILITIES.flatMap((durability) => [
  ...([1, 100] as const).flatMap((rows) =>
    [1, 4, 8].map((clients) => ({ rows, clients, durability, form: "prepared" as const })),
  ),
  { rows: 1, clients: 1, durability, form: "not prepared" },
  { rows: 100, clients: 1, durability, form: "one JSON parameter" },
]);

/** Compares writing to `public.audit_log` with writing to a plain table. */
export async function insert(server: BenchServer, short: boolean): Promise<Report> {
  const preloaded = 1_000_000;
  const rounds = short ? 2 : 9;
  const database = await server.createDatabase("bench_insert");
  try {
    const owner = await database.connect({ role: "pgtrail_owner" });
    await loadEntries(owner, { entries: preloaded, months: MONTHS, large: 1 / ORGANISATIONS });
    await createPlainTable(database.superuser, "plain");
    await copyToPlain(database.superuser, "plain");
    await database.superuser.query("vacuum analyze");
    await database.superuser.query("checkpoint");
    const writers = await Promise.all(
      Array.from({ length: 8 }, () => database.connect({ role: "service_role" })),
    );

    const results: { case: Case; plain: Slice[]; trail: Slice[] }[] = [];
    for (const each of CASES) {
      const clients = writers.slice(0, each.clients);
      const setting = each.durability === "default" ? "on" : "off";
      for (const client of clients) await client.query(`set synchronous_commit = ${setting}`);
      const slices = await interleave(rounds, {
        plain: () => drive(clients, 1000, writer("bench.plain", each)),
        trail: () => drive(clients, 1000, writer("public.audit_log", each)),
      });
      results.push({ case: each, plain: slices.plain ?? [], trail: slices.trail ?? [] });
    }

    return {
      title: "inserting into audit_log against a plain table",
      setup:
        "Plain: same columns, defaults and indexes, not partitioned, `gen_random_uuid()` key, no checks, no guards, " +
        `no row level security. Both hold ${preloaded.toLocaleString("en")} entries of ${MONTHS} months beforehand; ` +
        `${ORGANISATIONS} organisations. Direct INSERT by service_role, one statement a transaction, prepared unless said otherwise, closed loop, all ` +
        `clients in one Node process on the same machine. ${rounds} rounds of 1 s for each table in turn; the ratio is ` +
        "the median of the rounds (quartiles in brackets). CPU is the backends' processor time for a row.",
      tables: DURABILITIES.map((durability) => ({
        title: durability === "default" ? "Default durability" : "synchronous_commit = off",
        columns: [
          "rows/transaction",
          "clients",
          "plain rows/s",
          "audit_log rows/s",
          "ratio",
          "target",
          "plain CPU us/row",
          "audit_log CPU us/row",
        ],
        rows: results.filter((result) => result.case.durability === durability).map(row),
      })),
      raw: results,
    };
  } finally {
    await database.drop();
  }
}

function writer(table: string, { rows, form }: Case) {
  const json = form === "one JSON parameter";
  const text = json ? insertJsonStatement(table) : insertStatement(table, rows);
  const values = json ? insertJsonValues(rows) : insertValues(rows);
  const name = form === "not prepared" ? {} : { name: `${table} ${rows} ${form}` };
  return async (client: pg.Client) => {
    await client.query({ ...name, text, values: values() });
    return rows;
  };
}

function row({
  case: { rows, clients, durability, form },
  plain,
  trail,
}: {
  case: Case;
  plain: Slice[];
  trail: Slice[];
}): string[] {
  const ratio = ratios(
    trail.map((slice) => slice.rowsPerSecond),
    plain.map((slice) => slice.rowsPerSecond),
  );
  const target = rows === 1 ? 0.9 : 1.2;
  const speed = (slices: Slice[]) => Math.round(median(slices.map((slice) => slice.rowsPerSecond)));
  const cpu = (slices: Slice[]) => median(slices.map((slice) => slice.cpuPerRow ?? Number.NaN));
  return [
    form === "prepared" ? String(rows) : `${rows}, ${form}`,
    String(clients),
    speed(plain).toLocaleString("en"),
    speed(trail).toLocaleString("en"),
    `${median(ratio).toFixed(2)} (${quantile(ratio, 0.25).toFixed(2)} to ${quantile(ratio, 0.75).toFixed(2)})`,
    durability === "default" && form === "prepared"
      ? verdict(median(ratio) >= target, `>= ${target.toFixed(2)}`)
      : "",
    cpu(plain).toFixed(1),
    cpu(trail).toFixed(1),
  ];
}
