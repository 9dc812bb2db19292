import { UserError } from "../errors/user_error.js";
import type { Backoff } from "./availability.js";
import type { Batching } from "./batches.js";
import { systemClock } from "./clock.js";
import type { BufferLimits } from "./ring_buffer.js";
import type { Spool } from "./spool.js";
import { writeToStderr } from "./stderr.js";
import { type PgPool, pgTransport } from "./transports.js";
import type { Clock, DroppedEntry, FlushReport, Reporter, Transport } from "./types.js";

/** Options of createAuditWriter. */
export interface AuditWriterOptions {
  /** Pool of node-postgres, whose role may insert into `audit_log`. Either this or `transport`. */
  pool?: PgPool;
  /** Any other way to insert entries. */
  transport?: Transport;
  /**
   * How much is kept while the database is away: by default 1000 entries, or as many as the
   * environment variable PGTRAIL_BUFFER_MAX_ENTRIES says, and 16 MiB of JSON.
   */
  buffer?: Partial<BufferLimits>;
  /** Milliseconds within which `log` resolves. Default 1000. */
  budgetMs?: number;
  /** Milliseconds after which an attempt is aborted. Default 10 000. */
  attemptTimeoutMs?: number;
  /** When to try again after a failure. Default 500 ms, doubling up to 30 s. */
  backoff?: Partial<Backoff>;
  /** Has concurrent events share an insert. Off by default. */
  batching?: Batching;
  /**
   * Keeps what is not written on disk as well, so that neither an eviction nor the end of the
   * process loses it. Whoever opened it closes it, after the writer.
   */
  spool?: Spool;
  reporter?: Reporter;
  /** Takes the structured lines. By default standard error. */
  logger?: (line: string) => void;
  /** Whether the structured lines have the entry, without which replay has nothing. Default true. */
  logPayload?: boolean;
  /** Told of entries that this process will not write. */
  onDrop?: (dropped: DroppedEntry) => void;
  /** Told after the database came back and the buffer was flushed. */
  onRecovery?: (report: FlushReport) => void;
  clock?: Clock;
}

/** Options that were checked, with their defaults. */
export type Settings = ReturnType<typeof settingsOf>;

/** The settings that the options ask for. Raises UserError about those that make no sense. */
export function settingsOf(options: AuditWriterOptions) {
  const { clock = systemClock, logger = writeToStderr, logPayload = true } = options;
  const transport = transportOf(options);
  const limits = limitsOf(options.buffer);
  const budgetMs = positive("budgetMs", options.budgetMs ?? 1000);
  const attemptTimeoutMs = positive("attemptTimeoutMs", options.attemptTimeoutMs ?? 10_000);
  const backoff: Backoff = {
    initialMs: positive("backoff.initialMs", options.backoff?.initialMs ?? 500),
    maxMs: positive("backoff.maxMs", options.backoff?.maxMs ?? 30_000),
  };
  const batching = options.batching && {
    maxEntries: whole("batching.maxEntries", options.batching.maxEntries, 1, 10_000),
    maxDelayMs: Math.min(positive("batching.maxDelayMs", options.batching.maxDelayMs), budgetMs),
  };
  const given = { ...options, clock, logger, logPayload };
  return { ...given, transport, limits, budgetMs, attemptTimeoutMs, backoff, batching };
}

function transportOf({ pool, transport }: AuditWriterOptions): Transport {
  if (pool && !transport) return pgTransport(pool);
  if (transport && !pool) return transport;
  throw new UserError(`the writer was given ${pool ? "both" : "neither"} pool and transport`, {
    hint: "Pass one of them: a pool of node-postgres, or a function that inserts entries.",
  });
}

function limitsOf(given: Partial<BufferLimits> = {}): BufferLimits {
  const { PGTRAIL_BUFFER_MAX_ENTRIES: fromEnvironment } = process.env;
  const name = given.maxEntries === undefined ? "PGTRAIL_BUFFER_MAX_ENTRIES" : "buffer.maxEntries";
  const maxEntries = given.maxEntries ?? Number(fromEnvironment || 1000);
  return {
    maxEntries: whole(name, maxEntries, 1, 10_000_000, fromEnvironment),
    // Smaller, and a single large entry would push out everything.
    maxBytes: whole(
      "buffer.maxBytes",
      given.maxBytes ?? 16 * 1024 * 1024,
      1024 * 1024,
      Number.MAX_SAFE_INTEGER,
    ),
  };
}

function whole(name: string, value: number, min: number, max: number, text?: string): number {
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw new UserError(`${name} is ${Number.isNaN(value) ? text : value}`, {
    hint: `It is a whole number from ${min} to ${max}.`,
  });
}

function positive(name: string, value: number): number {
  if (value > 0 && value <= 2 ** 31 - 1) return value;
  throw new UserError(`${name} is ${value}`, { hint: "It is a number of milliseconds above 0." });
}
