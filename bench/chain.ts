import { setTimeout as delay } from "node:timers/promises";
import type pg from "pg";
import { createPlainTable, insertStatement, insertValues, loadEntries } from "./entries.js";
import { seal, sealAll } from "./log.js";
import { drive, interleave, median, quantile, ratios, type Slice } from "./measure.js";
import { type Report, verdict } from "./report.js";
import type { BenchServer } from "./server.js";
import { ORGANISATIONS } from "./shapes.js";

const MONTHS = 60;
const PRELOADED = 100_000;
const TARGET = 0.95;

/** Triggers that make bench.<name>, a plain table, tamper-evident row by row. */
const TRIGGERS: Record<"hashed" | "chained", string> = {
  hashed: `
    create function bench.tg__hashed() returns trigger language plpgsql as $$ begin
        new.hash := sha256(convert_to(new::text, 'UTF8'));
        return new;
    end $$`,
  // Whoever comes next waits for the lock on the head until this transaction ends.
  chained: `
    create table bench.head (hash bytea not null);
    insert into bench.head values ('');
    grant select, update on bench.head to service_role;
    create function bench.tg__chained() returns trigger language plpgsql as $$ begin
        update bench.head set hash = sha256(head.hash || convert_to(new::text, 'UTF8'))
        returning head.hash into new.hash;
        return new;
    end $$`,
};

/** What was written during one slice, and how long each call of seal() beside it took. */
interface Written extends Slice {
  sealMilliseconds: number[];
}

/** Compares writing beside a sealer with writing without, and with hashes computed in a trigger. */
export async function chain(server: BenchServer, short: boolean): Promise<Report> {
  const rounds = short ? 1 : 4;
  const seconds = short ? 1 : 2;
  const database = await server.createDatabase("bench_chain");
  try {
    const { superuser } = database;
    const owner = await database.connect({ role: "pgtrail_owner" });
    await loadEntries(owner, { entries: PRELOADED, months: MONTHS, large: 1 / ORGANISATIONS });
    await sealAll(owner);
    for (const name of ["plain", "hashed", "chained"] as const) {
      await createPlainTable(superuser, name);
      await superuser.query(`insert into bench.${name} select * from public.audit_log order by id`);
      await superuser.query(`alter table bench.${name} add hash bytea`);
      if (name === "plain") continue;
      await superuser.query(`${TRIGGERS[name]};
        create trigger ${name} before insert on bench.${name}
            for each row execute function bench.tg__${name}()`);
    }
    await superuser.query("vacuum analyze");
    await superuser.query("checkpoint");
    const writers = await Promise.all(
      Array.from({ length: 8 }, () => database.connect({ role: "service_role" })),
    );

    const results: { clients: number; written: Record<string, Written[]> }[] = [];
    for (const clients of [1, 4, 8]) {
      const write = async (table: string) => {
        const slice = await drive(writers.slice(0, clients), seconds * 1000, writer(table));
        return { ...slice, sealMilliseconds: [] };
      };
      const written = await interleave<Written>(rounds, {
        plain: () => write("bench.plain"),
        hashed: () => write("bench.hashed"),
        chained: () => write("bench.chained"),
        unsealed: async () => {
          const slice = await write("public.audit_log");
          await sealAll(owner);
          return slice;
        },
        sealed: async () => {
          const [slice, sealMilliseconds] = await Promise.all([
            write("public.audit_log"),
            sealEachSecond(owner, seconds),
          ]);
          await sealAll(owner);
          return { ...slice, sealMilliseconds };
        },
      });
      results.push({ clients, written });
    }

    return {
      title: "inserting beside a sealer, against hashes computed in a trigger",
      setup:
        `One row a transaction, prepared, by service_role, default durability, closed loop, all clients in one Node process ` +
        `on the same machine. audit_log has partitions of ${MONTHS} months; every table holds ${PRELOADED.toLocaleString("en")} entries ` +
        "beforehand. The sealer is one more connection that calls `pgtrail.seal()` each second. Plain, hashed and chained are tables " +
        "with the columns and indexes of audit_log, not partitioned, a random key, no checks, no guards, no row level security; a trigger of hashed " +
        "stores sha256(row), one of chained updates the one row that holds the head and stores sha256(head || row). " +
        `${rounds} rounds of ${seconds} s for each in turn; ratios are medians of the rounds (quartiles in brackets).`,
      tables: [
        {
          title: "A sealer each second",
          columns: [
            "clients",
            "audit_log rows/s",
            "with a sealer rows/s",
            "ratio",
            "target",
            "one seal, ms",
          ],
          rows: results.map(({ clients, written }) => {
            const ratio = against(written, "sealed", "unsealed");
            const seals = (written.sealed ?? []).flatMap((slice) => slice.sealMilliseconds);
            return [
              String(clients),
              speed(written, "unsealed"),
              speed(written, "sealed"),
              spread(ratio),
              verdict(median(ratio) >= TARGET, `>= ${TARGET}`),
              median(seals).toFixed(1),
            ];
          }),
        },
        {
          title: "Hashes computed in a trigger",
          columns: [
            "clients",
            "plain rows/s",
            "hash a row rows/s",
            "against plain",
            "hash chain rows/s",
            "against plain",
            "audit_log with a sealer against the hash chain",
          ],
          rows: results.map(({ clients, written }) => [
            String(clients),
            speed(written, "plain"),
            speed(written, "hashed"),
            spread(against(written, "hashed", "plain")),
            speed(written, "chained"),
            spread(against(written, "chained", "plain")),
            spread(against(written, "sealed", "chained")),
          ]),
        },
      ],
      raw: results,
    };
  } finally {
    await database.drop();
  }
}

function writer(table: string) {
  const text = insertStatement(table, 1);
  const values = insertValues(1);
  return async (client: pg.Client) => {
    await client.query({ name: table, text, values: values() });
    return 1;
  };
}

/** Seals shortly before the end of each second, so that a slice seals nearly all that it writes. */
async function sealEachSecond(sealer: pg.Client, seconds: number): Promise<number[]> {
  const milliseconds: number[] = [];
  const start = performance.now();
  for (let second = 1; second <= seconds; second++) {
    await delay(start + second * 1000 - 100 - performance.now());
    const begun = performance.now();
    await seal(sealer);
    milliseconds.push(performance.now() - begun);
  }
  return milliseconds;
}

function against(written: Record<string, Written[]>, name: string, baseline: string): number[] {
  const speeds = (of: string) => (written[of] ?? []).map((slice) => slice.rowsPerSecond);
  return ratios(speeds(name), speeds(baseline));
}

function speed(written: Record<string, Written[]>, name: string): string {
  const measured = median((written[name] ?? []).map((slice) => slice.rowsPerSecond));
  return Math.round(measured).toLocaleString("en");
}

function spread(ratio: number[]): string {
  return `${median(ratio).toFixed(2)} (${quantile(ratio, 0.25).toFixed(2)} to ${quantile(ratio, 0.75).toFixed(2)})`;
}
