/**
 * An application that logs events while its database is away, and measures its memory. Run with
 * --expose-gc as a child of tests/integration/writer_long_outage.test.ts, to which it reports over IPC.
 */
import { setImmediate } from "node:timers/promises";
import pg from "pg";
import { createAuditWriter, type WriterMetrics } from "../../src/index.js";

/** What the application is told. */
export interface Task {
  connectionString: string;
  events: number;
  maxEntries: number;
}

/** Sent twice: when all events are logged, and when the buffer is empty again. */
export interface Progress {
  metrics: WriterMetrics;
  /** Bytes that the heap has grown by since the buffer was full; bytes outside the heap as well. */
  grown: { heap: number; external: number };
  /** How often log() resolved with each status. */
  statuses: Record<string, number>;
}

process.once("message", (task) => run(task as Task));

async function run({ connectionString, events, maxEntries }: Task): Promise<void> {
  const pool = new pg.Pool({ connectionString, max: 5, connectionTimeoutMillis: 1000 });
  pool.on("error", () => {});
  const writer = createAuditWriter({ pool, buffer: { maxEntries } });
  const statuses: Record<string, number> = {};

  async function log(from: number, to: number): Promise<void> {
    for (let n = from; n < to; n += 50) {
      const size = Math.min(50, to - n);
      const results = await Promise.all(Array.from({ length: size }, (_, i) => logOne(n + i)));
      for (const { status } of results) statuses[status] = (statuses[status] ?? 0) + 1;
      // As an application does between two requests. Without it nothing else has its turn.
      await setImmediate();
    }
  }
  const logOne = (n: number) =>
    writer.log({
      action: "thing.happened",
      entityType: "outage",
      entityId: String(n),
      details: { number: n, text: "x".repeat(200) },
    });

  // What is made once is made, and the buffer is full.
  const first = Math.min(events, 2 * maxEntries);
  await log(0, first);
  const before = memory();
  await log(first, events);
  const after = memory();
  const grown = { heap: after.heap - before.heap, external: after.external - before.external };
  const report = () => process.send?.({ metrics: writer.metrics(), grown, statuses });
  report();

  const timer = setInterval(async () => {
    if (writer.metrics().inBuffer > 0) return;
    clearInterval(timer);
    report();
    await writer.close();
    await pool.end();
    process.disconnect();
  }, 20);
}

function memory() {
  global.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return { heap: heapUsed, external };
}
