import { createAvailability } from "./availability.js";
import { createBatches } from "./batches.js";
import { within } from "./clock.js";
import { createDeliver, createInsert } from "./deliver.js";
import { createDisk } from "./disk.js";
import { createIds, type PreparedEntry, prepareEntry } from "./entry.js";
import { closed, noAnswer, unavailable } from "./failures.js";
import { createFlusher } from "./flusher.js";
import { createItems, type Item } from "./items.js";
import { type AuditWriterOptions, settingsOf } from "./options.js";
import { createTell } from "./tell.js";
import type { PgClient } from "./transports.js";
import type {
  AuditEntry,
  AuditEvent,
  Counts,
  Failure,
  FlushReport,
  LogResult,
  WriterMetrics,
} from "./types.js";
import { insertWithin } from "./within_transaction.js";

export type { Batching } from "./batches.js";
export type { AuditWriterOptions } from "./options.js";
export type { DroppedEntry, FlushReport } from "./types.js";

/** An event that could not be written, as `logStrict` rejects with. */
export class AuditWriteError extends Error {
  override readonly name = "AuditWriteError";
  /** Pass `entry.id` as the id of the event to try again: if it was written after all, nothing happens. */
  readonly entry: AuditEntry;
  readonly failure: Failure;

  constructor(entry: AuditEntry, failure: Failure, cause?: unknown) {
    super(`audit event not written: ${failure.message}`, { cause });
    this.entry = entry;
    this.failure = failure;
  }
}

/** Writes events into `audit_log` without the application noticing when the database cannot. */
export interface AuditWriter {
  /** Writes an event, or keeps it. Resolves within the budget and never rejects. */
  log(event: AuditEvent): Promise<LogResult>;
  /**
   * Writes an event, or rejects with an AuditWriteError: for what must not happen unless it is
   * recorded. Nothing is kept and no line is written, as the caller knows.
   */
  logStrict(event: AuditEvent): Promise<LogResult>;
  /**
   * Writes an event within the caller's transaction, behind a savepoint, so that both come to be or
   * neither. Never rejects, and never keeps the event, which would outlive a rollback: when it
   * could not be written the status is `dropped`, there is a line, and the caller decides whether
   * to commit all the same.
   */
  logWithin(client: PgClient, event: AuditEvent): Promise<LogResult>;
  /**
   * Writes what is in the buffer now, whether or not the database is known to be away, and then what
   * is in the spool. The report is about the buffer.
   */
  flush(): Promise<FlushReport>;
  /**
   * Takes no more events, and flushes until the buffer is empty or the time (default 5000 ms) is
   * over. What is left then is dropped, with a line each; it stays in the spool, if there is one.
   */
  close(options?: { timeoutMs?: number }): Promise<FlushReport>;
  metrics(): WriterMetrics;
  /**
   * Whether the next event would be kept: not closed, and the database is available, there is room
   * in the buffer, or the spool takes entries. For a readiness probe; a database that is away does
   * not make it false.
   */
  ready(): boolean;
}

/**
 * Makes a writer. Close it before the process ends.
 *
 * An event goes from `log` to `send`, which delivers it; what becomes of it there is in items.ts, and
 * how what was kept is sent again in flusher.ts.
 *
 * @throws UserError about options that make no sense
 */
export function createAuditWriter(options: AuditWriterOptions): AuditWriter {
  const settings = settingsOf(options);
  const { clock, budgetMs, attemptTimeoutMs, backoff, batching, spool } = settings;
  const counts: Counts = {
    written: 0,
    buffered: 0,
    flushed: 0,
    dropped: 0,
    evicted: 0,
    linesLost: 0,
    spooled: 0,
    spoolRefused: 0,
    recovered: 0,
  };
  const nextId = createIds();
  const stop = new AbortController();
  const closing = stop.signal;
  let report: Promise<FlushReport> | undefined;

  const tell = createTell(settings, counts);
  const disk = spool && createDisk(spool, counts);
  const onKeep = () => flusher.wake();
  const items = createItems({ ...settings, disk, tell, onKeep }, counts);
  const availability = createAvailability(clock, backoff, (now) => flusher.changed(now));
  const insert = createInsert(settings.transport, clock, attemptTimeoutMs);
  const deliver = createDeliver(insert, availability, items);
  const flusher = createFlusher(
    { ...settings, items, disk, availability, deliver, closing },
    counts,
  );
  const batches = batching && createBatches(batching, clock, send);

  async function send(sent: readonly Item[]): Promise<void> {
    const attempt = availability.begin();
    if (!attempt) {
      for (const item of sent) items.failed(item, unavailable);
      return;
    }
    for (const item of sent) items.limit(item, attempt.failed);
    await deliver(sent, attempt);
  }

  function prepare(event: AuditEvent): PreparedEntry {
    return prepareEntry(event, () => nextId(clock.now()));
  }

  function log(event: AuditEvent): Promise<LogResult> {
    return new Promise((resolve) => {
      const { entry, failure } = prepare(event);
      const item = items.wait(entry, resolve);
      if (failure || closing.aborted) items.drop(item, failure ?? closed);
      else if (batches && availability.available) batches.add(item);
      // While it is away there is nothing to share an insert with; the first that may try is the probe.
      else void send([item]);
    });
  }

  async function logStrict(event: AuditEvent): Promise<LogResult> {
    const { entry, failure: refusal } = prepare(event);
    if (refusal || closing.aborted) throw new AuditWriteError(entry, refusal ?? closed);
    const { failure, error } = await insert([entry], () => {});
    if (failure !== null && failure !== "duplicate") {
      throw new AuditWriteError(entry, failure, error);
    }
    counts.written += 1;
    // Whoever may not wait for the database learns that it is there.
    availability.begin(true)?.succeeded();
    return { status: "written", id: entry.id };
  }

  async function logWithin(client: PgClient, event: AuditEvent): Promise<LogResult> {
    const { entry, failure: beyondMending } = prepare(event);
    const { id } = entry;
    const refusal = beyondMending
      ? { failure: beyondMending, lost: false }
      : await insertWithin(client, entry);
    if (!refusal) {
      counts.written += 1;
      return { status: "written", id };
    }
    const { failure, lost } = refusal;
    counts.dropped += 1;
    // What never happened must not be replayed.
    tell({ entry, json: null }, failure, "dropped", !lost);
    return { status: "dropped", id, reason: failure.message };
  }

  async function close(timeoutMs: number): Promise<FlushReport> {
    stop.abort();
    // Those that were called in the same turn go first.
    await Promise.resolve();
    const before = { ...counts };
    const { waiting, buffer } = items;
    let outOfTime = false;
    // Timers keep no process alive, and this is what a process that ends waits for.
    const alive = setInterval(() => {}, 60_000);
    batches?.send();
    const work = async () => {
      while (!outOfTime && (waiting.size > 0 || buffer.size > 0)) {
        if (buffer.size > 0) await flusher.flush(true);
        if (waiting.size === 0 && buffer.size === 0) break;
        await new Promise<void>((resolve) => {
          clock.after(Math.min(100, backoff.initialMs), resolve);
        });
      }
    };
    await within(clock, timeoutMs, work());
    outOfTime = true;
    items.dropAll(noAnswer(timeoutMs));
    flusher.stop();
    // Carried out after all that was appended.
    if (disk) await within(clock, budgetMs, disk.idle());
    clearInterval(alive);
    return {
      flushed: counts.flushed - before.flushed,
      failed: counts.dropped - before.dropped,
      remaining: 0,
    };
  }

  function metrics(): WriterMetrics {
    const { buffer } = items;
    const [oldest] = buffer.oldest(1);
    return {
      dbAvailable: availability.available,
      ...counts,
      inBuffer: buffer.size,
      bufferBytes: buffer.bytes,
      oldestBufferedMs: oldest ? Math.max(0, clock.now() - oldest.at) : null,
    };
  }

  return {
    log,
    logStrict,
    logWithin,
    flush: () => flusher.flush(true),
    close: ({ timeoutMs = 5000 } = {}) => {
      report ??= close(timeoutMs);
      return report;
    },
    metrics,
    ready: () =>
      !closing.aborted && (availability.available || !items.buffer.full || (disk?.takes ?? false)),
  };
}
