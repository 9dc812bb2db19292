import { isDeepStrictEqual } from "node:util";
import type pg from "pg";
import { loadEntries, withoutIndexes } from "./entries.js";
import { sealAll } from "./log.js";
import {
  interleave,
  median,
  type Query,
  quantile,
  ratios,
  type Sample,
  sample,
} from "./measure.js";
import { connectReader, makeReader } from "./reader.js";
import { type Report, verdict } from "./report.js";
import type { BenchDatabase, BenchServer } from "./server.js";
import { HLF_SYNC, organisationId } from "./shapes.js";

const TABLE = `public.${HLF_SYNC.trail}`;
const MONTHS = 60;
const ORGANISATIONS = 50;
const UNSEALED = 1_000;
const LARGE_PART = 0.6;

/** What is counted: the entries of [from, to), null is open, of an organisation. */
interface Period {
  organisation: string;
  from: Date | null;
  to: Date | null;
}

/** A database with a trail of that many entries. */
interface Trail {
  entries: number;
  database: BenchDatabase;
  reader: pg.Client;
  /** Entries of each period. */
  counted: Record<string, number>;
}

/** By size of the trail and period. */
type Samples = Record<string, Sample[]>;

/** Compares summaries with counting the entries, in a trail of one size and in one ten times as large. */
export async function summary(server: BenchServer, short: boolean): Promise<Report> {
  const size = short ? 100_000 : 1_000_000;
  const rounds = short ? 10 : 200;
  const countings = short ? 1 : 3;
  const periods = periodsBefore(new Date());
  const databases: BenchDatabase[] = [];
  const prepare = async (
    entries: number,
    count: (owner: pg.Client) => Promise<void>,
  ): Promise<Trail> => {
    const database = await server.createDatabase(`bench_summary_${databases.length + 1}`);
    databases.push(database);
    const owner = await database.connect({ role: "pgtrail_owner" });
    await makeReader(owner, ORGANISATIONS);
    const load = { months: MONTHS, large: LARGE_PART, organisations: ORGANISATIONS };
    await withoutIndexes(owner, HLF_SYNC, () => loadEntries(owner, { ...load, entries }, HLF_SYNC));
    await count(owner);
    await loadEntries(owner, { ...load, entries: UNSEALED, months: 0 }, HLF_SYNC);
    await database.superuser.query(`vacuum analyze ${TABLE}, pgtrail.rollup`);
    const reader = await connectReader(database);
    const counted: Record<string, number> = {};
    for (const [name, period] of Object.entries(periods)) {
      counted[name] = await compare(reader, period);
    }
    return { entries, database, reader, counted };
  };
  try {
    const small = await prepare(size, sealAll);
    const large = await prepare(size * 10, passOver);
    await large.database.superuser.query("checkpoint");

    const ofBoth = (query: (period: Period) => Query) =>
      Object.fromEntries(
        Object.entries(periods).flatMap(([name, period]) =>
          [small, large].map(({ entries, reader }) => [
            `${entries} ${name}`,
            () => sample(reader, query(period)),
          ]),
        ),
      );
    const summaries = {
      ...(await interleave(rounds, ofBoth(summaryQuery))),
      ...(await interleave(
        short ? 2 : 10,
        Object.fromEntries(
          [small, large].map(({ entries, database }) => [
            `${entries} ${FIRST_CALL}`,
            async () => sample(await connectReader(database), summaryQuery(EVERYTHING)),
          ]),
        ),
      )),
    };
    const byTime = await interleave(countings, ofBoth(countByTime));
    const byId = await interleave(countings, ofBoth(countById));

    const named = ({ entries }: Trail) => entries.toLocaleString("en");
    return {
      title: "summaries against counting the entries",
      setup:
        `${named(small)} entries in hlf_sync_audit_log of one database, ${named(large)} in that of another, spread evenly over ${MONTHS} months and ` +
        `${ORGANISATIONS} organisations, of which the large one holds ${LARGE_PART * 100}%; ${UNSEALED.toLocaleString("en")} more are not sealed yet. The others of the smaller one ` +
        "are sealed; those of the larger one are not in the log: its position was moved behind them by hand, and `pgtrail.recount` " +
        "counted them. Analysed, in memory. get_hlf_sync_audit_summary for one organisation, and `select outcome, count(*), " +
        "max(attempted_at) ... group by outcome` for the same organisation and period, both as role authenticated under row level " +
        "security, with the same result. Counting by time has the period as bounds of attempted_at, by id as bounds of id, which " +
        "leave out the other partitions. Server time is planning and execution as EXPLAIN (ANALYZE, TIMING OFF) tells; " +
        `${rounds} rounds of summaries and ${countings} of counting, both databases in turn. The period with ragged ends begins at 17 minutes past an hour ` +
        "and ends at 43.",
      tables: [
        {
          title: "get_hlf_sync_audit_summary, server time",
          columns: [
            "period",
            `${named(small)}, ms, median`,
            "95%",
            `${named(large)}, ms, median`,
            "95%",
            "target",
            "larger against smaller",
            "target",
          ],
          rows: [...Object.keys(periods), FIRST_CALL].map((name) =>
            summaryRow(
              name,
              times(summaries[`${small.entries} ${name}`]),
              times(summaries[`${large.entries} ${name}`]),
            ),
          ),
        },
        ...[small, large].map((trail) => ({
          title: `Counting ${named(trail)} entries, server time`,
          columns: [
            "period",
            "entries of the organisation",
            "by time, ms",
            "against the summary",
            "target",
            "by id, ms",
            "against the summary",
            "target",
          ],
          rows: Object.keys(periods).map((name) =>
            countingRow(name, trail, summaries, [byTime, byId]),
          ),
        })),
      ],
      raw: { summaries, byTime, byId },
    };
  } finally {
    for (const database of databases) await database.drop();
  }
}

const FIRST_CALL = "large organisation: all time, first call of a connection";
const EVERYTHING: Period = { organisation: organisationId(1), from: null, to: null };

function periodsBefore(now: Date): Record<string, Period> {
  const year = now.getUTCFullYear();
  const month = now.getUTCMonth();
  const periods = {
    "the current month": { from: new Date(Date.UTC(year, month)), to: null },
    "the year before": { from: new Date(Date.UTC(year - 1, 0)), to: new Date(Date.UTC(year, 0)) },
    "all time": { from: null, to: null },
    "two years with ragged ends": {
      from: new Date(Date.UTC(year - 2, month - 1, 20, 7, 17)),
      to: new Date(Date.UTC(year, month - 1, 10, 15, 43)),
    },
  };
  return Object.fromEntries(
    ["large organisation", "small organisation"].flatMap((size, n) =>
      Object.entries(periods).map(([name, period]) => [
        `${size}: ${name}`,
        { organisation: organisationId(n + 1), ...period },
      ]),
    ),
  );
}

/** What seal() does to everything that is committed, but for leaves of the log. */
async function passOver(owner: pg.Client): Promise<void> {
  await owner.query(
    `update pgtrail.log
     set tx_id = pg_snapshot_xmin(pg_current_snapshot()), trail_name = '', entry_id = '00000000-0000-0000-0000-000000000000'
     where log_id = 1`,
  );
  await owner.query("select pgtrail.recount($1)", [TABLE]);
}

/** Resolves with the number of entries, which is the same in all ways to count them. */
async function compare(reader: pg.Client, period: Period): Promise<number> {
  const results: unknown[][][] = [];
  for (const query of [countByTime, countById, summaryQuery]) {
    const { rows } = await reader.query({ ...query(period), rowMode: "array" });
    results.push(rows);
  }
  const [expected, ...others] = results;
  for (const other of others) {
    if (!isDeepStrictEqual(other, expected)) {
      throw new Error(`the summary is wrong: ${JSON.stringify([period, expected, other])}`);
    }
  }
  const entries = (expected ?? []).reduce((sum, row) => sum + Number(row[1]), 0);
  if (entries === 0) throw new Error(`there are no entries of ${JSON.stringify(period)}`);
  return entries;
}

function summaryQuery({ organisation, from, to }: Period): Query {
  return {
    text: "select * from public.get_hlf_sync_audit_summary($1, $2, $3)",
    values: [organisation, from, to],
  };
}

function countByTime(period: Period): Query {
  return countQuery(period, "attempted_at", (parameter) => `${parameter}::timestamptz`);
}

function countById(period: Period): Query {
  return countQuery(period, "id", (parameter) => `pgtrail.uuid7_floor(${parameter})`);
}

function countQuery(
  { organisation, from, to }: Period,
  column: string,
  bound: (parameter: string) => string,
): Query {
  const values: unknown[] = [organisation];
  const conditions = ["organisation_id = $1"];
  if (from) conditions.push(`${column} >= ${bound(`$${values.push(from)}`)}`);
  if (to) conditions.push(`${column} < ${bound(`$${values.push(to)}`)}`);
  return {
    text: `select outcome, count(*), max(attempted_at) from ${TABLE} where ${conditions.join(" and ")} group by outcome order by outcome`,
    values,
  };
}

function times(samples: Sample[] = []): number[] {
  return samples.map(({ planning, server }) => planning + server);
}

function summaryRow(name: string, small: number[], large: number[]): string[] {
  const slower = Math.max(median(small), median(large));
  const growth = median(ratios(large, small));
  const judged = name !== FIRST_CALL;
  return [
    name,
    ...[small, large].flatMap((samples) =>
      [median(samples), quantile(samples, 0.95)].map((time) => time.toFixed(2)),
    ),
    judged ? verdict(slower <= 10, "<= 10 ms") : "",
    `${growth.toFixed(2)} x`,
    judged ? verdict(growth <= 1.5 && growth >= 1 / 1.5, "within 1.5 x") : "",
  ];
}

function countingRow(
  name: string,
  { entries, counted }: Trail,
  summaries: Samples,
  countings: Samples[],
): string[] {
  const summarised = median(times(summaries[`${entries} ${name}`]));
  return [
    name,
    (counted[name] ?? 0).toLocaleString("en"),
    ...countings.flatMap((counting) => {
      const time = median(times(counting[`${entries} ${name}`]));
      const gain = time / summarised;
      return [time.toFixed(1), `${gain.toFixed(1)} x`, verdict(gain >= 100, ">= 100 x")];
    }),
  ];
}
