import { readFile } from "node:fs/promises";
import { performance } from "node:perf_hooks";
import type pg from "pg";

/** What happened during one slice of time. */
export interface Slice {
  seconds: number;
  rows: number;
  rowsPerSecond: number;
  /**
   * Processor time of the backends for a row, in microseconds; null where there is no /proc. The
   * client's own is not in it, nor is that of the server's background processes.
   */
  cpuPerRow: number | null;
}

/**
 * Runs the alternatives in turn, `rounds` times, each second round backwards, so that whatever else
 * the machine does meets all of them alike. One round more comes first and is thrown away.
 *
 * @returns the results of each alternative by its name, one a round
 */
export async function interleave<T>(
  rounds: number,
  alternatives: Record<string, () => Promise<T>>,
): Promise<Record<string, T[]>> {
  const names = Object.keys(alternatives);
  const results: Record<string, T[]> = Object.fromEntries(names.map((name) => [name, []]));
  for (let round = 0; round <= rounds; round++) {
    for (const name of round % 2 ? names.toReversed() : names) {
      const result = await alternatives[name]?.();
      if (round > 0) results[name]?.push(result as T);
    }
  }
  return results;
}

/**
 * Lets every client repeat `work` for the given time, each waiting for its answer before it sends
 * again.
 *
 * @param work sends one statement and resolves with the number of rows that it wrote
 */
export async function drive(
  clients: readonly pg.Client[],
  milliseconds: number,
  work: (client: pg.Client) => Promise<number>,
): Promise<Slice> {
  let rows = 0;
  const cpuBefore = await cpuOf(clients);
  const start = performance.now();
  const end = start + milliseconds;
  await Promise.all(
    clients.map(async (client) => {
      while (performance.now() < end) {
        const written = await work(client);
        rows += written;
      }
    }),
  );
  const seconds = (performance.now() - start) / 1000;
  const cpuAfter = await cpuOf(clients);

  return {
    seconds,
    rows,
    rowsPerSecond: rows / seconds,
    cpuPerRow: cpuBefore && cpuAfter ? (cpuAfter - cpuBefore) / rows : null,
  };
}

/** Microseconds that the clients' backends have spent on a processor since they started. */
export async function cpuOf(clients: readonly pg.Client[]): Promise<number | null> {
  const times = await Promise.all(
    clients.map(async (client) => {
      // The first field is the time on a processor, user and system, in nanoseconds.
      const path = `/proc/${await backendPid(client)}/schedstat`;
      const text = await readFile(path, "utf8").catch(() => null);
      return text === null ? null : Number(text.split(" ")[0]) / 1000;
    }),
  );
  return times.reduce<number | null>(
    (sum, time) => (sum === null || time === null ? null : sum + time),
    0,
  );
}

const backendPids = new WeakMap<pg.Client, number>();

async function backendPid(client: pg.Client): Promise<number> {
  let pid = backendPids.get(client);
  if (pid === undefined) {
    const { rows } = await client.query("select pg_backend_pid() as pid");
    pid = rows[0].pid as number;
    backendPids.set(client, pid);
  }
  return pid;
}

/** One query, timed inside the server and as its client sees it, in milliseconds. */
export interface Sample {
  /** Execution of the statement. What functions plan within is in it, its own planning is not. */
  server: number;
  planning: number;
  roundTrip: number;
}

export interface Query {
  text: string;
  values: unknown[];
}

/** Runs a query once. The round trip carries no rows. */
export async function sample(client: pg.Client, { text, values }: Query): Promise<Sample> {
  const start = performance.now();
  const { rows } = await client.query(
    `explain (analyze, timing off, buffers off, format json) ${text}`,
    values,
  );
  const roundTrip = performance.now() - start;
  const [explained] = rows[0]["QUERY PLAN"];
  return {
    server: explained["Execution Time"],
    planning: explained["Planning Time"],
    roundTrip,
  };
}

/** The value below which the given part (0 to 1) of the values lies; NaN when there are none. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const position = (sorted.length - 1) * part;
  const below = sorted[Math.floor(position)] ?? Number.NaN;
  const above = sorted[Math.ceil(position)] ?? Number.NaN;
  return below + (above - below) * (position - Math.floor(position));
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** Ratio of two alternatives in each round; its median is what a comparison says. */
export function ratios(values: readonly number[], baseline: readonly number[]): number[] {
  return values.map((value, round) => value / (baseline[round] ?? Number.NaN));
}
