import { UserError } from "../errors/user_error.js";
import { type Attempt, type Backoff, createAvailability } from "./availability.js";
import { byteLength } from "./byte_length.js";
import { classify } from "./classify.js";
import { systemClock } from "./clock.js";
import { createIds, type PreparedEntry, prepareEntry } from "./entry.js";
import { failureLine, jsonLine } from "./failure_line.js";
import { type BufferLimits, createRingBuffer } from "./ring_buffer.js";
import type { Spool } from "./spool.js";
import { writeToStderr } from "./stderr.js";
import { insertEntry, type PgClient, type PgPool, pgTransport } from "./transports.js";
import type {
  AuditEntry,
  AuditEvent,
  Clock,
  Failure,
  FailureLine,
  LogResult,
  Reporter,
  Transport,
  WriterMetrics,
} from "./types.js";

/** Most entries, and bytes of JSON, of one insert from the buffer. */
const FLUSH_ENTRIES = 500;
const FLUSH_BYTES = 1024 * 1024;

/** How often the spool is looked at for what other processes left there, in milliseconds. */
const SPOOL_LOOK_MS = 60_000;

/** What became of the buffer in one flush. */
export interface FlushReport {
  /** Written. */
  flushed: number;
  /** Refused for good and set aside; they are on standard error. */
  failed: number;
  /** Still in the buffer. */
  remaining: number;
}

/** An entry that the writer gave up. */
export interface DroppedEntry {
  entry: AuditEntry;
  failure: Failure;
  /** `evicted` from the buffer by newer ones, or `dropped`: refused for good, or too late. */
  status: "dropped" | "evicted";
}

/** How concurrent events share an insert. One that is alone is sent at once. */
export interface Batching {
  /** Most entries of an insert. */
  maxEntries: number;
  /** Milliseconds for which an event waits at most while another insert is under way. */
  maxDelayMs: number;
}

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

/** An event on its way. */
interface Item {
  readonly entry: AuditEntry;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** Undecided; in the buffer; read from disk; done with. */
  state: "pending" | "buffered" | "spooled" | "done";
  /** Why it was buffered. */
  failure: Failure;
  /** The entry as JSON, made when first needed. */
  json: string | null;
  /** Whether it has its line. */
  told: boolean;
  settle(result: LogResult): void;
}

/**
 * Makes a writer. Close it before the process ends.
 *
 * @throws UserError about options that make no sense
 */
export function createAuditWriter(options: AuditWriterOptions): AuditWriter {
  const { reporter, onDrop, onRecovery, batching, spool } = options;
  const { clock = systemClock, logger = writeToStderr, logPayload = true } = options;
  const transport = transportOf(options);
  const limits = limitsOf(options.buffer);
  const budgetMs = positive("budgetMs", options.budgetMs ?? 1000);
  const attemptTimeoutMs = positive("attemptTimeoutMs", options.attemptTimeoutMs ?? 10_000);
  const backoff = {
    initialMs: positive("backoff.initialMs", options.backoff?.initialMs ?? 500),
    maxMs: positive("backoff.maxMs", options.backoff?.maxMs ?? 30_000),
  };
  if (batching) {
    whole("batching.maxEntries", batching.maxEntries, 1, 10_000);
    positive("batching.maxDelayMs", batching.maxDelayMs);
  }

  const nextId = createIds();
  const buffer = createRingBuffer<Item>(limits);
  const counts = {
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
  /** What was set aside since the flush began. */
  let setAside = 0;
  /** The database was away, and onRecovery has not been told that it is back. */
  let recovering = false;
  let closing: Promise<FlushReport> | undefined;
  let flushing: Promise<FlushReport> | undefined;
  let cancelWake: (() => void) | undefined;
  let batch: Item[] = [];
  let cancelBatch: (() => void) | undefined;
  /** Batches that wait for their answer. */
  let batchesSent = 0;
  /** Callers of log() that wait for the database. */
  const waiting = new Set<Item>();
  /** Whether the last entry that the spool was given is on disk. */
  let spoolTakes = spool !== undefined;
  /** Whether there may be entries on disk that are not in the buffer. */
  let leftOnDisk = spool !== undefined;
  /** Ids to settle at the end of the turn. */
  let toSettle: string[] = [];
  let cancelLook: (() => void) | undefined;

  const availability = createAvailability(clock, backoff, (available) => {
    if (available) void flushBuffer();
    else recovering = true;
  });

  // ------------------------------------------------------------------ what becomes of an event

  /** Answers the caller, once the entry is on disk where it has to be, but within the budget. */
  function finish(item: Item, result: Omit<LogResult, "id">, onDisk?: Promise<void>): void {
    waiting.delete(item);
    const answer = () => item.settle({ ...result, id: item.entry.id });
    if (onDisk) void within(item.at + budgetMs - clock.now(), onDisk).then(answer);
    else answer();
  }

  /** Resolves with the promise, which never rejects, or when the time is over. */
  function within(milliseconds: number, promise: Promise<void>): Promise<void> {
    return new Promise((resolve) => {
      const cancel = clock.after(Math.max(0, milliseconds), resolve);
      void promise.then(() => {
        cancel();
        resolve();
      });
    });
  }

  function written(item: Item): void {
    const { state } = item;
    if (state === "done") return;
    item.state = "done";
    if (state === "pending") {
      counts.written += 1;
      finish(item, { status: "written" });
      return;
    }
    settle(item);
    if (buffer.remove(item)) counts.flushed += 1;
    else counts.recovered += 1;
  }

  function failed(item: Item, failure: Failure): void {
    if (failure.kind === "permanent") drop(item, failure);
    else if (item.state === "pending") keep(item, failure);
    else item.failure = failure;
  }

  function keep(item: Item, failure: Failure): void {
    item.state = "buffered";
    item.failure = failure;
    counts.buffered += 1;
    tell(item, failure, "buffered");
    const onDisk = append(item);
    for (const evicted of buffer.push(item, byteLength(jsonOf(item)))) {
      // On disk it is like those that other processes left.
      evicted.state = "done";
      leftOnDisk = spool !== undefined;
      counts.evicted += 1;
      tell(evicted, evicted.failure, "evicted", !evicted.told);
    }
    finish(item, { status: "buffered", reason: failure.message }, onDisk);
    wake();
  }

  function drop(item: Item, failure: Failure): void {
    const { state } = item;
    if (state === "done") return;
    // What only came too late is for the next process.
    const late = failure === closed || failure.kind === "transient";
    const onDisk = late && state === "pending" ? append(item) : undefined;
    if (!late && state !== "pending") settle(item);
    buffer.remove(item);
    item.state = "done";
    counts.dropped += 1;
    setAside += 1;
    tell(item, failure, "dropped");
    if (state === "pending") finish(item, { status: "dropped", reason: failure.message }, onDisk);
  }

  /** Puts an entry on disk. The promise never rejects; undefined without a spool. */
  function append(item: Item): Promise<void> | undefined {
    return spool?.append(item.entry, jsonOf(item)).then(({ status }) => {
      spoolTakes = status === "spooled";
      counts[spoolTakes ? "spooled" : "spoolRefused"] += 1;
    });
  }

  /** Lets go of an entry on disk, which is in the database or will never be. */
  function settle(item: Item): void {
    if (!spool || toSettle.push(item.entry.id) > 1) return;
    queueMicrotask(() => {
      const ids = toSettle;
      toSettle = [];
      void spool.settled(ids);
    });
  }

  /** Writes the structured line and tells whoever wants to know. */
  function tell(item: Item, failure: Failure, status: FailureLine["status"], payload = true): void {
    const { entry } = item;
    const json = logPayload && payload ? jsonOf(item) : null;
    try {
      logger(failureLine(entry, { failure, status, now: clock.now(), json }));
      item.told = true;
    } catch {
      counts.linesLost += 1;
    }
    const reported = status === "buffered" ? "buffered" : "dropped";
    if (reporter) guarded(() => reporter.report({ entry, failure, status: reported }));
    if (onDrop && status !== "buffered") guarded(() => onDrop({ entry, failure, status }));
  }

  // ------------------------------------------------------------------ attempts

  /** One insert. Never rejects, and is over when the time for it is. */
  function insert(entries: readonly AuditEntry[], late: () => void) {
    return new Promise<{ failure: Failure | "duplicate" | null; error?: unknown }>((resolve) => {
      const controller = new AbortController();
      let over = false;
      const cancel = clock.after(attemptTimeoutMs, () => {
        over = true;
        resolve({ failure: noAnswer(attemptTimeoutMs) });
        controller.abort(new Error(`no answer within ${attemptTimeoutMs} ms`));
      });
      const end = (failure: Failure | "duplicate" | null, error?: unknown) => {
        cancel();
        if (over && failure === null) late();
        resolve({ failure, error });
      };
      // Called in a promise, so that a transport that throws at once rejects as well.
      new Promise<void>((done) => done(transport(entries, controller.signal))).then(
        () => end(null),
        (error) => end(classify(error), error),
      );
    });
  }

  /**
   * Sends items, and where one of them is refused for good, halves them until it stands alone.
   *
   * @returns why it has to be tried later, or null when every item is done with
   */
  async function deliver(items: readonly Item[], attempt: Attempt): Promise<Failure | null> {
    const succeed = () => {
      for (const item of items) written(item);
      attempt.succeeded();
    };
    const { failure } = await insert(
      items.map(({ entry }) => entry),
      succeed,
    );
    if (failure === null || (failure === "duplicate" && items.length === 1)) {
      succeed();
      return null;
    }
    if (failure !== "duplicate" && failure.kind === "transient") {
      // First, so that what is kept now finds the database unavailable.
      attempt.failed();
      for (const item of items) failed(item, failure);
      wake();
      return failure;
    }
    if (items.length <= 1) {
      for (const item of items) failed(item, failure as Failure);
      attempt.succeeded();
      return null;
    }
    // It was an answer, so the database is there; which of the items it was about is not known.
    attempt.succeeded();
    const middle = Math.ceil(items.length / 2);
    let transient: Failure | null = null;
    for (const half of [items.slice(0, middle), items.slice(middle)]) {
      const next = transient ? null : availability.begin();
      if (next) {
        transient = await deliver(half, next);
      } else {
        transient ??= unavailable;
        for (const item of half) failed(item, transient);
      }
    }
    return transient;
  }

  async function send(items: readonly Item[]): Promise<void> {
    const open = items.filter(({ state }) => state !== "done");
    if (open.length === 0) return;
    const attempt = availability.begin();
    if (!attempt) {
      for (const item of open) failed(item, unavailable);
      return;
    }
    for (const item of open) {
      if (item.state === "pending") overdue(item, attempt);
    }
    await deliver(open, attempt);
  }

  /** Keeps an item when its budget is over, though the attempt goes on. */
  function overdue(item: Item, attempt: Attempt): void {
    const cancel = clock.after(Math.max(0, item.at + budgetMs - clock.now()), () => {
      if (item.state !== "pending") return;
      attempt.failed();
      keep(item, noAnswer(budgetMs));
    });
    const { settle } = item;
    item.settle = (result) => {
      cancel();
      settle(result);
    };
  }

  /** Shares an insert with what else happens, as long as that costs no time or little. */
  function collect(item: Item, { maxEntries, maxDelayMs }: Batching): void {
    batch.push(item);
    if (batch.length >= maxEntries) sendBatch();
    else if (batchesSent === 0) queueMicrotask(sendBatchWhenIdle);
    else cancelBatch ??= clock.after(Math.min(maxDelayMs, budgetMs), sendBatch);
  }

  function sendBatch(): void {
    cancelBatch?.();
    cancelBatch = undefined;
    if (batch.length === 0) return;
    const items = batch;
    batch = [];
    batchesSent += 1;
    void send(items).then(() => {
      batchesSent -= 1;
      // With what those do next who were waiting for this one.
      queueMicrotask(sendBatchWhenIdle);
    });
  }

  function sendBatchWhenIdle(): void {
    if (batchesSent === 0) sendBatch();
  }

  // ------------------------------------------------------------------ flushing

  /** Sees to it that the buffer is flushed when that may succeed, or the database asked whether it is back. */
  function wake(): void {
    const idle = buffer.size === 0 && !leftOnDisk && availability.available;
    if (cancelWake || flushing || closing || idle) return;
    // Never at once: either something just failed, or another attempt is finding out.
    const delay = availability.wait || backoff.initialMs;
    cancelWake = clock.after(delay, () => {
      cancelWake = undefined;
      void flushBuffer();
    });
  }

  /** Flushes the buffer; there is one flush at a time. */
  function flushBuffer(force = false): Promise<FlushReport> {
    flushing ??= drain(force).finally(() => {
      flushing = undefined;
      // It may have come back while the flush was giving up.
      if (recovering && availability.available) void flushBuffer();
      else wake();
    });
    return flushing;
  }

  async function drain(force: boolean): Promise<FlushReport> {
    // Lets go of whoever called, whose own work comes first.
    await Promise.resolve();
    const before = { flushed: counts.flushed, setAside };
    for (;;) {
      const items = buffer.oldest(FLUSH_ENTRIES, FLUSH_BYTES);
      // Without entries, it is asked all the same as long as it is away.
      if (items.length === 0 && availability.available) break;
      const attempt = availability.begin(force);
      if (!attempt || (await deliver(items, attempt))) break;
    }
    const report = {
      flushed: counts.flushed - before.flushed,
      failed: setAside - before.setAside,
      remaining: buffer.size,
    };
    if (recovering && availability.available) {
      recovering = false;
      guarded(() => onRecovery?.(report));
    }
    if (spool && leftOnDisk && !closing) await recover(spool, force);
    return report;
  }

  /** Writes what is on disk, until something has to be kept again or the writer is closed. */
  async function recover(from: Spool, force: boolean): Promise<void> {
    let items: Item[] = [];
    let bytes = 0;
    const sendOn = async () => {
      const sent = items;
      items = [];
      bytes = 0;
      if (sent.length === 0) return true;
      const attempt = availability.begin(force);
      return attempt !== null && (await deliver(sent, attempt)) === null;
    };
    try {
      for await (const entry of from.recover()) {
        // What is in the buffer is on disk as well, and comes first.
        if (buffer.size > 0 || closing) return;
        const item = newItem(entry, () => {});
        item.state = "spooled";
        items.push(item);
        bytes += byteLength(jsonOf(item));
        if ((items.length >= FLUSH_ENTRIES || bytes >= FLUSH_BYTES) && !(await sendOn())) return;
      }
      leftOnDisk = !(await sendOn()) || buffer.size > 0;
    } catch {
      // The directory cannot be read now. It is looked at again in a while.
      leftOnDisk = false;
    }
  }

  /** Looks at the spool now and then: another process may have ended meanwhile. */
  function lookAtSpool(): void {
    cancelLook = clock.after(SPOOL_LOOK_MS, lookAtSpool);
    leftOnDisk = true;
    // While the database is away, the probe of the buffer comes first.
    if (availability.available) void flushBuffer();
    else wake();
  }

  // ------------------------------------------------------------------ what is exported

  function prepare(event: AuditEvent): PreparedEntry {
    return prepareEntry(event, () => nextId(clock.now()));
  }

  function newItem(entry: AuditEntry, settle: Item["settle"]): Item {
    const at = clock.now();
    return { entry, at, state: "pending", failure: unavailable, json: null, told: false, settle };
  }

  function log(event: AuditEvent): Promise<LogResult> {
    return new Promise((resolve) => {
      const { entry, failure } = prepare(event);
      const item = newItem(entry, resolve);
      if (failure || closing) {
        drop(item, failure ?? closed);
        return;
      }
      waiting.add(item);
      if (!batching) {
        void send([item]);
        return;
      }
      if (!availability.available) {
        // There is nothing to share an insert with; the first that may try is the probe.
        void send([item]);
        return;
      }
      collect(item, batching);
    });
  }

  async function logStrict(event: AuditEvent): Promise<LogResult> {
    const { entry, failure: refusal } = prepare(event);
    if (refusal || closing) throw new AuditWriteError(entry, refusal ?? closed);
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
    const { entry, failure: refusal } = prepare(event);
    const item = newItem(entry, () => {});
    let failure = refusal;
    let lost = false;
    if (!failure) {
      try {
        await client.query("savepoint pgtrail_event", []);
        await insertEntry(client, entry);
        await client.query("release savepoint pgtrail_event", []);
        item.state = "done";
        counts.written += 1;
        return { status: "written", id: entry.id };
      } catch (error) {
        const classified = classify(error);
        // The statement leaves out ids that are there, so another key of the table is meant.
        failure =
          classified === "duplicate"
            ? { kind: "permanent", code: "23505", message: "duplicate key" }
            : classified;
        // Without a transaction there is nothing to lose: the event stands by itself.
        lost = failure.code !== "25P01" && !(await rollBack(client));
      }
    }
    if (lost) {
      // What the event tells of is rolled back with the transaction, so it must not be replayed.
      failure = { ...failure, message: `the transaction is lost: ${failure.message}` };
    }
    item.state = "done";
    counts.dropped += 1;
    tell(item, failure, "dropped", !lost);
    return { status: "dropped", id: entry.id, reason: failure.message };
  }

  function close({ timeoutMs = 5000 } = {}): Promise<FlushReport> {
    closing ??= shutDown(timeoutMs);
    return closing;
  }

  async function shutDown(timeoutMs: number): Promise<FlushReport> {
    // Runs after closing is set, so that nothing new comes in.
    await Promise.resolve();
    const before = { ...counts };
    let outOfTime = false;
    // Timers keep no process alive, and this is what a process that ends waits for.
    const alive = setInterval(() => {}, 60_000);
    sendBatch();
    const work = async () => {
      while (!outOfTime && (waiting.size > 0 || buffer.size > 0)) {
        if (buffer.size > 0) await flushBuffer(true);
        if (waiting.size === 0 && buffer.size === 0) break;
        await new Promise<void>((resolve) => {
          clock.after(Math.min(100, backoff.initialMs), resolve);
        });
      }
    };
    await within(timeoutMs, work());
    outOfTime = true;
    for (const item of [...waiting]) drop(item, noAnswer(timeoutMs));
    for (const item of buffer.oldest(limits.maxEntries)) drop(item, item.failure);
    cancelWake?.();
    cancelLook?.();
    // Carried out after all that was appended.
    if (spool) await within(budgetMs, spool.settled([]));
    clearInterval(alive);
    return {
      flushed: counts.flushed - before.flushed,
      failed: counts.dropped - before.dropped,
      remaining: 0,
    };
  }

  function metrics(): WriterMetrics {
    const [oldest] = buffer.oldest(1);
    return {
      dbAvailable: availability.available,
      ...counts,
      inBuffer: buffer.size,
      bufferBytes: buffer.bytes,
      oldestBufferedMs: oldest ? Math.max(0, clock.now() - oldest.at) : null,
    };
  }

  if (spool) lookAtSpool();

  return {
    log,
    logStrict,
    logWithin,
    flush: () => flushBuffer(true),
    close,
    metrics,
    ready: () => !closing && (availability.available || !buffer.full || spoolTakes),
  };
}

const unavailable: Failure = {
  kind: "transient",
  code: null,
  message: "the database is unavailable",
};
const closed: Failure = { kind: "permanent", code: null, message: "the writer is closed" };

function noAnswer(milliseconds: number): Failure {
  return { kind: "transient", code: null, message: `no answer within ${milliseconds} ms` };
}

function jsonOf(item: Item): string {
  item.json ??= jsonLine(item.entry);
  return item.json;
}

/** Brings a transaction back to where it was before the event. False when it is beyond that. */
async function rollBack(client: PgClient): Promise<boolean> {
  try {
    await client.query("rollback to savepoint pgtrail_event", []);
    await client.query("release savepoint pgtrail_event", []);
    return true;
  } catch {
    return false;
  }
}

/** Calls what belongs to the application, whose errors are not the writer's. */
function guarded(call: () => unknown): void {
  try {
    const result = call();
    if (result instanceof Promise) result.catch(() => {});
  } catch {
    // There is nobody else to tell: the line has been written.
  }
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
