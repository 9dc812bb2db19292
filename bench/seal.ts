import { performance } from "node:perf_hooks";
import type pg from "pg";
import { insertStatement, insertValues, loadEntries } from "./entries.js";
import { seal as callSeal, sealAll, treeSize } from "./log.js";
import { drive, interleave, median, quantile, type Slice } from "./measure.js";
import { type Report, verdict } from "./report.js";
import type { BenchDatabase, BenchServer } from "./server.js";
import { ORGANISATIONS, organisationId } from "./shapes.js";

/** With this month and the 13 ahead that every trail has, these make 60 partitions of each. */
const MONTHS = 46;
const WRITERS = 4;
const FEW = 1000;
const TRAILS = ["audit_log", "audit_log_2", "audit_log_3", "audit_log_4"];
const TARGET = 120_000;
/** Of a latency, in milliseconds. */
const TARGETS: Record<string, number> = {
  "nothing new": 15,
  "nothing new, first call of a connection": 60,
  "1,000 entries": 30,
  "1,000 entries of 4 trails": 30,
};

/** Measures turning entries into leaves of the log, verifying them, and the room that they take. */
export async function seal(server: BenchServer, short: boolean): Promise<Report> {
  const preloaded = short ? 50_000 : 300_000;
  const batch = short ? 10_000 : 30_000;
  const database = await server.createDatabase("bench_seal");
  try {
    const owner = await database.connect({ role: "pgtrail_owner" });
    // What one core does.
    await owner.query("set max_parallel_workers_per_gather = 0");
    for (const trail of TRAILS.slice(1)) await createTrail(database.superuser, trail);
    const load = (entries: number, months: number) =>
      loadEntries(owner, { entries, months, large: 1 / ORGANISATIONS });
    await load(preloaded, MONTHS);
    await sealAll(owner);
    await database.superuser.query("vacuum analyze");
    await database.superuser.query("checkpoint");
    const writers = await Promise.all(
      Array.from({ length: WRITERS }, () => database.connect({ role: "service_role" })),
    );
    for (const writer of writers) await writer.query("set synchronous_commit = off");

    const sealed = await interleave(short ? 2 : 4, {
      "one transaction, all of this month": async () => {
        await load(batch, 0);
        return slice(owner, () => callSeal(owner));
      },
      "one transaction, with one of the four erasable columns": async () => {
        await owner.query(
          `insert into public.audit_log (organisation_id, actor_id, actor_kind, action, entity_type, entity_id, details)
           select $2, 'user-' || n % 200, 'user', 'badge.viewed', 'badge', 'entity-' || n % 5000, jsonb_build_object('n', n)
           from generate_series(1, $1::int) as n`,
          [batch, organisationId(1)],
        );
        return slice(owner, () => callSeal(owner));
      },
      [`one transaction, spread over ${MONTHS} months`]: async () => {
        await load(batch, MONTHS);
        return slice(owner, () => callSeal(owner));
      },
      [`transactions of one entry, by ${WRITERS} clients`]: async () => {
        await writeSingly(writers, batch, TRAILS.slice(0, 1));
        return slice(owner, () => callSeal(owner));
      },
    });
    const latencies = await interleave(
      short ? 4 : 15,
      latencyAlternatives(database, owner, writers),
    );
    const size = await treeSize(owner);
    const verified = await interleave(short ? 1 : 3, {
      "all entries": () => slice(owner, () => verifyAll(owner, size)),
    });

    return {
      title: "sealing entries into the log and verifying them",
      setup:
        `${TRAILS.length} trails of ${await partitions(owner)} partitions together. ` +
        `${preloaded.toLocaleString("en")} entries of ${MONTHS} months are sealed beforehand. A rate is that of one call of ` +
        `\`seal()\` for ${batch.toLocaleString("en")} entries of audit_log, medians of rounds in turn; CPU is the backend's ` +
        "processor time, without parallel workers. A latency is what the caller waits for `select pgtrail.seal()`, with its " +
        "commit and default durability; 1,000 entries are 1,000 transactions. `verify()` runs over all that was sealed until " +
        `then, ${size.toLocaleString("en")} entries, and finds nothing.`,
      tables: [
        {
          title: "Rates",
          columns: ["entries", "entries/s", "CPU us/entry", "target"],
          rows: [
            ...Object.entries(sealed).map(([name, slices]) => rate(`seal: ${name}`, slices)),
            ...Object.entries(verified).map(([name, slices]) => rate(`verify: ${name}`, slices)),
          ],
        },
        {
          title: "One call of seal()",
          columns: ["entries", "ms, median", "95%", "target"],
          rows: Object.entries(latencies).map(latency),
        },
        {
          title: "Room on disk",
          columns: ["of audit_log and the log", "bytes an entry"],
          rows: await storage(database.superuser, size),
        },
      ],
      raw: { sealed, latencies, verified },
    };
  } finally {
    await database.drop();
  }
}

/** Makes public.<name>, one more trail of the shape of `public.audit_log`. */
async function createTrail(superuser: pg.Client, name: string): Promise<void> {
  await superuser.query(`
    create table public.${name} (
        like public.audit_log including defaults including generated, primary key (id)
    ) partition by range (id);
    select pgtrail.create_trail('public.${name}', organisation_column, erasable, digested)
    from pgtrail.trail
    where trail_name = 'audit_log';
    select pgtrail.ensure_partitions('public.${name}', now() - interval '${MONTHS} months', now());
    alter table public.${name} enable row level security;`);
}

/** Writes that many entries, each in a transaction of its own, to the trails in turn. */
async function writeSingly(writers: pg.Client[], entries: number, trails: string[]): Promise<void> {
  const values = insertValues(1);
  let written = 0;
  await Promise.all(
    writers.map(async (writer) => {
      while (written < entries) {
        const trail = trails[written++ % trails.length] ?? "";
        const text = insertStatement(`public.${trail}`, 1);
        await writer.query({ name: trail, text, values: values() });
      }
    }),
  );
}

/** Work that is done once: it takes far longer than the time given. */
function slice(client: pg.Client, work: () => Promise<number>): Promise<Slice> {
  return drive([client], 1, work);
}

function latencyAlternatives(
  database: BenchDatabase,
  owner: pg.Client,
  writers: pg.Client[],
): Record<string, () => Promise<number>> {
  const connect = () => database.connect({ role: "pgtrail_owner" });
  const time = async (sealer: pg.Client, expected: number) => {
    const start = performance.now();
    const sealed = await callSeal(sealer);
    const milliseconds = performance.now() - start;
    if (sealed !== expected) throw new Error(`sealed ${sealed} entries, not ${expected}`);
    return milliseconds;
  };
  const write = (trails: string[]) => writeSingly(writers, FEW, trails);
  return {
    "nothing new": () => time(owner, 0),
    "nothing new, first call of a connection": async () => time(await connect(), 0),
    "1,000 entries": async () => {
      await write(TRAILS.slice(0, 1));
      return time(owner, FEW);
    },
    "1,000 entries of 4 trails": async () => {
      await write(TRAILS);
      return time(owner, FEW);
    },
    "1,000 entries of 4 trails, first call of a connection": async () => {
      await write(TRAILS);
      return time(await connect(), FEW);
    },
  };
}

/** Resolves with the number of entries that were verified. */
async function verifyAll(owner: pg.Client, size: number): Promise<number> {
  const { rows } = await owner.query("select * from pgtrail.verify()");
  if (rows.length > 0) throw new Error(`verify() found ${JSON.stringify(rows[0])}`);
  return size;
}

async function partitions(owner: pg.Client): Promise<number> {
  const { rows } = await owner.query(
    "select count(*) from pg_inherits join pgtrail.trail on relation = inhparent",
  );
  return Number(rows[0].count);
}

/** Partitions without entries are left out: they take the same room whatever is written elsewhere. */
async function storage(superuser: pg.Client, size: number): Promise<string[][]> {
  await superuser.query("vacuum");
  const { rows } = await superuser.query(
    `with filled as materialized (
        select inhrelid as partition from pg_inherits
        where inhparent = 'public.audit_log'::regclass and pg_relation_size(inhrelid) > 0
    )
    select part, sum(bytes)::float8 / entries as bytes
    from (
        select 1 as place, 'table' as part, pg_table_size(partition) as bytes,
            (select count(*) from public.audit_log) as entries
        from filled
        union all
        select 2, 'index ' || substring(pg_get_indexdef(indexrelid) from '\\(.*\\)'),
            pg_relation_size(indexrelid), (select count(*) from public.audit_log)
        from filled
        join pg_index on indrelid = partition
        union all
        select 3, 'log: tiles', pg_total_relation_size('pgtrail.tile'), $1
        union all
        select 4, 'log: batches and their contents',
            pg_total_relation_size('pgtrail.batch') + pg_total_relation_size('pgtrail.batch_content'), $1
    ) as measured
    group by place, part, entries
    order by place, part`,
    [size],
  );
  return rows.map(({ part, bytes }) => [part, bytes.toFixed(1)]);
}

function rate(name: string, slices: Slice[]): string[] {
  const measured = median(slices.map((each) => each.rowsPerSecond));
  const cpu = median(slices.map((each) => each.cpuPerRow ?? Number.NaN));
  return [
    name,
    Math.round(measured).toLocaleString("en"),
    cpu.toFixed(2),
    verdict(measured >= TARGET, `>= ${TARGET.toLocaleString("en")}`),
  ];
}

function latency([name, times]: [string, number[]]): string[] {
  const target = TARGETS[name];
  return [
    name,
    median(times).toFixed(1),
    quantile(times, 0.95).toFixed(1),
    target === undefined ? "" : verdict(median(times) <= target, `<= ${target}`),
  ];
}
