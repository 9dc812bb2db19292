import { closeSync, openSync, writeSync } from "node:fs";
import { devNull } from "node:os";
import { performance } from "node:perf_hooks";
import pg from "pg";
import { freePort } from "../src/cluster/cluster.js";
import type { AuditEvent, AuditWriter } from "../src/index.js";
import { insertJsonStatement, insertJsonValues, insertStatement, insertValues } from "./entries.js";
import { interleave, median, quantile, ratios } from "./measure.js";
import { type Report, verdict } from "./report.js";
import type { BenchServer } from "./server.js";
import { AUDIT_LOG, draw } from "./shapes.js";

// As it is published: tsx would give every function its name while it runs, which takes time.
const { createAuditWriter }: typeof import("../src/index.js") = await import(
  new URL("../dist/index.js", import.meta.url).href
);

/** Connections of each pool: what pg gives one that says nothing. */
const CONNECTIONS = 10;
const CALLERS = [1, 8, 64] as const;
/** Most rows of a batch: half of the callers at most, so that one is made while another is inserted. */
const BATCH = 32;
const TARGETS = { single: 0.9, batched: 8, callMicroseconds: 5, callMilliseconds: 5 };

const WAYS = ["pool.query", "log()", "log(), batching"] as const;
type Way = (typeof WAYS)[number];
/** What batching can reach at most: rows that are made beforehand, and no event waits. */
const CEILING = `pool.query, ${BATCH} rows`;

/** What a call of log() costs while the database is away, in microseconds. */
interface Calls {
  mean: number;
  p50: number;
  p99: number;
  max: number;
}

/** Compares `log()` with a bare INSERT, and measures it while the database is away. */
export async function writer(server: BenchServer, short: boolean): Promise<Report> {
  const rounds = short ? 2 : 9;
  const milliseconds = short ? 500 : 2000;
  const database = await server.createDatabase("bench_writer");
  const events = makeEvents(10_000);
  try {
    const pools = WAYS.map(() => database.pool({ role: "service_role" }, CONNECTIONS));
    const [bare, single, batching] = pools as [pg.Pool, pg.Pool, pg.Pool];
    const statement = insertStatement("public.audit_log", 1);
    const values = insertValues(1);
    const writers = {
      "log()": createAuditWriter({ pool: single }),
      "log(), batching": createAuditWriter({
        pool: batching,
        batching: { maxEntries: BATCH, maxDelayMs: 5 },
      }),
    };
    const log = (way: keyof typeof writers) => async (n: number) => {
      const { status, reason } = await writers[way].log(events[n % events.length] as AuditEvent);
      if (status !== "written") throw new Error(`an event was ${status}: ${reason}`);
    };
    const work: Record<Way, (n: number) => Promise<unknown>> = {
      "pool.query": () => bare.query(statement, values()),
      "log()": log("log()"),
      "log(), batching": log("log(), batching"),
    };

    const throughput: { callers: number; rates: Record<string, number[]> }[] = [];
    const json = insertJsonStatement("public.audit_log");
    const jsonValues = insertJsonValues(BATCH);
    const insertBatch = () => bare.query(json, jsonValues());
    for (const callers of CALLERS) {
      const ways = Object.fromEntries(
        WAYS.map((way) => [way, () => rate(callers, milliseconds, work[way])]),
      );
      if (callers >= BATCH) {
        ways[CEILING] = async () =>
          BATCH * (await rate(callers / BATCH, milliseconds, insertBatch));
      }
      throughput.push({ callers, rates: await interleave(rounds, ways) });
    }
    for (const each of Object.values(writers)) await each.close();

    const away = await whileAway(events, rounds, short ? 20_000 : 100_000);

    return {
      title: "the writer against a bare INSERT, and while the database is away",
      setup:
        `Written: events per second into audit_log by service_role through pools of ${CONNECTIONS} connections, default durability, closed loop, all ` +
        "callers in one Node process on the machine of the server. `pool.query` is one INSERT with a parameter a column; `log()` makes the entry and its id, " +
        `inserts it, and watches the time; with batching, calls that wait at the same time share an INSERT, of at most ${BATCH} entries. \`${CEILING}\` sends that many rows in one INSERT, as ` +
        "JSON, from as many callers as make the same number of rows: what the server takes, without a writer. " +
        `${rounds} rounds of ${milliseconds / 1000} s for each in turn; ratios are taken within each round, and are medians (quartiles in brackets). Away: ` +
        `nobody listens at the port; one call of log() after the other, ${(short ? 20_000 : 100_000).toLocaleString("en")} a round, the buffer full, so that each call buffers one event and evicts another ` +
        "and makes two lines, the first with the event, which are thrown away or written to the null device. Attempts that find out whether the database is back are among the calls.",
      tables: [
        {
          title: "Written",
          columns: ["callers", "way", "events/s", "against pool.query", "against log()", "target"],
          rows: throughput.flatMap(({ callers, rates }) =>
            Object.keys(rates).map((way) => throughputRow(callers, way, rates)),
          ),
        },
        {
          title: "While the database is away, microseconds a call",
          columns: ["lines", "mean", "p50", "p99", "slowest", "target"],
          rows: Object.entries(away).map(([lines, calls]) => awayRow(lines, calls)),
        },
      ],
      raw: { throughput, away },
    };
  } finally {
    await database.drop();
  }
}

function makeEvents(number: number): AuditEvent[] {
  return Array.from({ length: number }, () => {
    const drawn = draw();
    const text = (column: string) => AUDIT_LOG.columns[column]?.value(drawn) as string;
    const document = (column: string) =>
      AUDIT_LOG.columns[column]?.value(drawn) as Record<string, unknown>;
    return {
      action: text("action"),
      organisationId: text("organisation_id"),
      actorId: text("actor_id"),
      entityType: text("entity_type"),
      entityId: text("entity_id"),
      changes: document("changes"),
      details: document("details"),
      ipAddress: text("ip_address"),
      userAgent: text("user_agent"),
      requestId: text("request_id"),
    };
  });
}

/** Times a second that callers, each waiting for its own answer, get something done. */
async function rate(
  callers: number,
  milliseconds: number,
  work: (n: number) => Promise<unknown>,
): Promise<number> {
  let calls = 0;
  const start = performance.now();
  const end = start + milliseconds;
  await Promise.all(
    Array.from({ length: callers }, async () => {
      while (performance.now() < end) await work(calls++);
    }),
  );
  return (calls * 1000) / (performance.now() - start);
}

/** Calls of log() on a port where nobody listens, by what becomes of the lines. */
async function whileAway(events: AuditEvent[], rounds: number, calls: number) {
  const port = await freePort();
  const pool = new pg.Pool({ connectionString: `postgresql://127.0.0.1:${port}/nowhere` });
  const nowhere = openSync(devNull, "w");
  const writers: Record<string, AuditWriter> = {
    "thrown away": createAuditWriter({ pool, logger: () => {} }),
    "written to the null device": createAuditWriter({
      pool,
      logger: (line) => writeSync(nowhere, `${line}\n`),
    }),
  };
  try {
    return await interleave(
      rounds,
      Object.fromEntries(
        Object.entries(writers).map(([name, each]) => [name, () => timed(each, events, calls)]),
      ),
    );
  } finally {
    for (const each of Object.values(writers)) await each.close({ timeoutMs: 1 });
    await pool.end();
    closeSync(nowhere);
  }
}

async function timed(each: AuditWriter, events: AuditEvent[], calls: number): Promise<Calls> {
  const times = new Float64Array(calls);
  for (let n = 0; n < calls; n++) {
    const start = performance.now();
    await each.log(events[n % events.length] as AuditEvent);
    times[n] = (performance.now() - start) * 1000;
  }
  const sorted = Array.from(times);
  return {
    mean: sorted.reduce((sum, time) => sum + time, 0) / calls,
    p50: quantile(sorted, 0.5),
    p99: quantile(sorted, 0.99),
    max: quantile(sorted, 1),
  };
}

function throughputRow(callers: number, way: string, rates: Record<string, number[]>): string[] {
  const own = rates[way] ?? [];
  const against = (other: string) => ratios(own, rates[other] ?? []);
  const target = () => {
    if (callers === 1 && way === "log()") {
      return verdict(
        median(against("pool.query")) >= TARGETS.single,
        `>= ${TARGETS.single.toFixed(2)} of pool.query`,
      );
    }
    if (callers === 64 && way === "log(), batching") {
      return verdict(
        median(against("log()")) >= TARGETS.batched,
        `>= ${TARGETS.batched.toFixed(1)} of log()`,
      );
    }
    return "";
  };
  return [
    String(callers),
    way,
    Math.round(median(own)).toLocaleString("en"),
    way === "pool.query" ? "" : spread(against("pool.query")),
    way === "log(), batching" || way === CEILING ? spread(against("log()")) : "",
    target(),
  ];
}

function awayRow(lines: string, calls: Calls[]): string[] {
  const of = (name: keyof Calls) => median(calls.map((each) => each[name]));
  const { callMicroseconds, callMilliseconds } = TARGETS;
  return [
    lines,
    ...(["mean", "p50", "p99", "max"] as const).map((name) => of(name).toFixed(1)),
    lines === "thrown away"
      ? verdict(of("mean") <= callMicroseconds, `mean <= ${callMicroseconds} us`)
      : verdict(of("p99") < callMilliseconds * 1000, `p99 < ${callMilliseconds} ms`),
  ];
}

function spread(ratio: number[]): string {
  return `${median(ratio).toFixed(2)} (${quantile(ratio, 0.25).toFixed(2)} to ${quantile(ratio, 0.75).toFixed(2)})`;
}
