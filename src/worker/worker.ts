import { setTimeout as delay } from "node:timers/promises";
import type pg from "pg";
import { connect } from "../database/connection.js";
import { UserError } from "../errors/user_error.js";
import { type AlertForwarder, alertForwarder } from "./alerts.js";
import { type DescribedError, describeError } from "./describe_error.js";

/** A run of a job. */
export interface Run {
  time: Date;
  job: "seal" | "maintain";
  ms: number;
  /** What the function returned. */
  result?: unknown;
  error?: DescribedError;
}

/** What a worker works on, and how it is stopped. */
export interface WorkerOptions {
  databaseUrl: string;
  /** Where alerts are posted to. */
  webhook?: string | undefined;
  /** Receives each run of a job. */
  tell(run: Run): void;
  /** Receives alerts, and lines {time, ..., error} about the connection and the webhook. */
  warn(line: object): void;
  /** Asks it to finish the call that is running and to stop. */
  stop: AbortSignal;
  /** Asks it not to wait for that call. */
  hurry: AbortSignal;
}

/** How often a worker runs its jobs. */
export interface Pace {
  /** Milliseconds. */
  sealEvery: number;
  /** Milliseconds. */
  maintainEvery: number;
}

/** Entries that pgtrail.seal() takes at most: then there may be more. */
const AT_ONCE = 50_000;
const FIRST_RETRY = 1000;
const LAST_RETRY = 60_000;
/** A daily job that failed does not wait until tomorrow. */
const RETRY_JOB = 15 * 60_000;
/** For alerts that are still being posted when the worker stops. */
const FAREWELL = 5000;

const statements: Record<Run["job"], string> = {
  seal: "select pgtrail.seal()::float8 as result",
  maintain: "select pgtrail.maintain() as result",
};

interface Job {
  name: Run["job"];
  /** Milliseconds. */
  every: number;
  /** When it runs next, as Date.now() has it. */
  due: number;
}

/**
 * Seals and maintains until it is stopped. A database that is away, or goes away, is tried again
 * after a second, then after two and so on up to a minute.
 *
 * Raises UserError when the database URL is none.
 */
export async function runWorker(options: WorkerOptions & Pace): Promise<void> {
  // One connection for both: while maintain() runs, it holds the lock that seal() waits for.
  const jobs: Job[] = [
    { name: "seal", every: options.sealEvery, due: 0 },
    { name: "maintain", every: options.maintainEvery, due: 0 },
  ];
  const alerts = alertForwarder(options.warn, options.webhook);
  let wait = FIRST_RETRY;
  while (!options.stop.aborted) {
    try {
      await withSession(options, alerts, async (session) => {
        wait = FIRST_RETRY;
        await serve(session, jobs, alerts, options);
      });
    } catch (error) {
      if (error instanceof UserError && error.exitCode === 2) throw error;
      if (options.stop.aborted) break;
      const line = { job: "connection", error: describeError(error), retry_ms: wait };
      options.warn({ time: new Date(), ...line });
      await pause(wait, options.stop);
      wait = Math.min(2 * wait, LAST_RETRY);
    }
  }
  await alerts.finish(FAREWELL, options.hurry);
}

/**
 * Seals until nothing is left, maintains once, and tells the open alerts. Resolves with whether all
 * of that succeeded.
 *
 * Raises UserError when the database cannot be reached, or its URL is none.
 */
export async function runOnce(options: WorkerOptions): Promise<boolean> {
  const alerts = alertForwarder(options.warn, options.webhook);
  const client = await connect(options.databaseUrl);
  const leave = () => client.end().catch(() => {});
  options.hurry.addEventListener("abort", leave);
  let succeeded = true;
  try {
    for (const name of ["seal", "maintain"] as const) {
      let outcome: Outcome;
      do {
        if (options.stop.aborted) return false;
        outcome = await run(client, name, options);
        succeeded &&= outcome.error === undefined;
      } while (mayHaveMore(name, outcome));
    }
    await alerts.forward(client);
  } finally {
    options.hurry.removeEventListener("abort", leave);
    await leave();
  }
  const told = await alerts.finish(60_000, options.stop);
  return succeeded && told;
}

interface Session {
  client: pg.Client;
  /** Hears of alerts. */
  listener: pg.Client;
  /** Aborted when the worker is stopped, or one of the connections is lost. */
  over: AbortSignal;
}

/** Opens the connection for the jobs and the one that hears of alerts, and ends them after. */
async function withSession(
  { databaseUrl, stop, hurry }: WorkerOptions,
  alerts: AlertForwarder,
  work: (session: Session) => Promise<void>,
): Promise<void> {
  const over = new AbortController();
  const end = () => over.abort();
  const clients: pg.Client[] = [];
  const open = async () => {
    const client = await connect(databaseUrl);
    client.once("end", end);
    clients.push(client);
    return client;
  };
  const leave = () => Promise.all(clients.map((client) => client.end().catch(() => {})));
  stop.addEventListener("abort", end);
  hurry.addEventListener("abort", leave);
  try {
    const client = await open();
    const listener = await open();
    listener.on("notification", () => void alerts.forward(listener));
    await listener.query("listen pgtrail_alert");
    await alerts.forward(listener);
    await work({ client, listener, over: over.signal });
  } finally {
    stop.removeEventListener("abort", end);
    hurry.removeEventListener("abort", leave);
    await leave();
  }
}

/** Runs the jobs as they become due, until the worker is stopped. Rejects when a connection is lost. */
async function serve(
  { client, listener, over }: Session,
  jobs: readonly Job[],
  alerts: AlertForwarder,
  options: WorkerOptions,
): Promise<void> {
  while (!options.stop.aborted) {
    const job = jobs.reduce((first, next) => (next.due < first.due ? next : first));
    await pause(job.due - Date.now(), over);
    if (options.stop.aborted) return;
    if (over.aborted) throw new UserError("the connection to the database was lost");

    const started = Date.now();
    const outcome = await run(client, job.name, options);
    // What the database refused was a run of the job; one that the connection did not survive was none.
    if (outcome.error !== undefined) await client.query("select");
    if (mayHaveMore(job.name, outcome)) job.due = started;
    else job.due = started + (outcome.error ? Math.min(job.every, RETRY_JOB) : job.every);
    // Whoever is notified may have missed it, as after a failover.
    void alerts.forward(listener);
  }
}

interface Outcome {
  result?: unknown;
  error?: unknown;
}

/** Runs a job and tells how it went. Never rejects. */
async function run(client: pg.Client, job: Run["job"], { tell }: WorkerOptions): Promise<Outcome> {
  const time = new Date();
  const began = performance.now();
  const elapsed = () => Math.round(performance.now() - began);
  try {
    const { rows } = await client.query<{ result: unknown }>(statements[job]);
    const result = rows[0]?.result;
    tell({ time, job, ms: elapsed(), result });
    return { result };
  } catch (error) {
    tell({ time, job, ms: elapsed(), error: describeError(error) });
    return { error };
  }
}

/** Whether the job should run again at once. */
function mayHaveMore(job: Run["job"], { result }: Outcome): boolean {
  return job === "seal" && Number(result ?? 0) >= AT_ONCE;
}

/** Waits so many milliseconds, or until the signal is aborted. */
async function pause(milliseconds: number, until: AbortSignal): Promise<void> {
  if (milliseconds <= 0) return;
  await delay(milliseconds, undefined, { signal: until }).catch(() => {});
}
