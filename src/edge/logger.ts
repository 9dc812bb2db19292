/**
 * Records without keeping a response waiting. It needs a supabase-js client and nothing of Node.
 */
import { byteLength } from "../writer/byte_length.js";
import { classify } from "../writer/classify.js";
import { createIds, prepareEntry } from "../writer/entry.js";
import { failureLine, jsonLine, MAX_LINE_BYTES } from "../writer/failure_line.js";
import { scrubSecrets } from "../writer/scrub.js";
import { type PostgrestClient, postgrestTransport } from "../writer/transports.js";
import type { AuditEntry, AuditEvent, Failure, LogResult, Reporter } from "../writer/types.js";

/** Options of createEdgeLogger. */
export interface EdgeLoggerOptions {
  supabase: PostgrestClient;
  /**
   * Keeps the function alive until a promise is settled. By default `EdgeRuntime.waitUntil` where
   * there is one. Elsewhere the platform's own, such as `(promise) => context.waitUntil(promise)`.
   */
  waitUntil?: ((promise: Promise<unknown>) => void) | undefined;
  /** Takes the lines about what did not reach the database. By default the console. */
  logger?: { error(line: string): void } | undefined;
  reporter?: Reporter | undefined;
  /** Milliseconds after which the database is given up on. By default 5000. */
  timeoutMs?: number | undefined;
  /** Whether the lines have the event, without which it cannot be replayed. By default true. */
  logPayload?: boolean | undefined;
}

/** A row of a trail other than `audit_log`, and how it is recorded. */
export interface Recording {
  id: string;
  row: object;
  /** The property of the line that has the row, whence `pgtrail replay` records it. */
  property: string;
  /** As what the line and the reporter know the row. */
  event: AuditEvent;
  /** Why the database would never take the row, where that is known already. */
  refused: Failure | undefined;
  /** Rejects with the error of the database. */
  insert(signal: AbortSignal): PromiseLike<void>;
}

/**
 * Records in the background. What it returns never rejects, and does not have to be awaited: a
 * response that waits for it waits for the database.
 */
export interface EdgeLogger {
  /** Records an event in `audit_log`. */
  log(event: AuditEvent): Promise<LogResult>;
  /** Records a row of another trail. */
  record(recording: Recording): Promise<LogResult>;
  /** An id of now. */
  newId(): string;
}

/**
 * Makes a logger for Edge Functions. There is no buffer: an event is written at once, or it is
 * `dropped` with a line on standard error, whence `pgtrail replay` recovers it.
 */
export function createEdgeLogger(options: EdgeLoggerOptions): EdgeLogger {
  const { supabase, reporter, logger = console, timeoutMs = 5000, logPayload = true } = options;
  const insert = postgrestTransport(supabase);
  const idOf = createIds();
  const newId = () => idOf(Date.now());

  function inBackground(work: Promise<LogResult>): Promise<LogResult> {
    try {
      (options.waitUntil ?? runtimeWaitUntil())?.(work);
    } catch {
      // A runtime may refuse it outside of a request. The work goes on, and never rejects.
    }
    return work;
  }

  /** Gives why work failed, undefined when it did not. Never rejects. */
  async function attempt(
    work: (signal: AbortSignal) => PromiseLike<void>,
  ): Promise<Failure | undefined> {
    const controller = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const timedOut = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        const message = `the database did not answer within ${timeoutMs} ms`;
        reject({ code: "ETIMEDOUT", message });
        controller.abort();
      }, timeoutMs);
    });
    try {
      await Promise.race([work(controller.signal), timedOut]);
      return undefined;
    } catch (error) {
      return failureOf(error);
    } finally {
      clearTimeout(timer);
    }
  }

  function drop(entry: AuditEntry, failure: Failure, line: string): LogResult {
    for (const tell of [
      () => logger.error(line),
      () => reporter?.report({ entry, failure, status: "dropped" }),
    ]) {
      try {
        tell();
      } catch {
        // Recording must not fail what is recorded, and there is nobody left to tell.
      }
    }
    return { status: "dropped", id: entry.id, reason: failure.message };
  }

  function lineOf(entry: AuditEntry, failure: Failure, json: string | null): string {
    return failureLine(entry, { failure, status: "dropped", now: Date.now(), json });
  }

  async function write(entry: AuditEntry, refused: Failure | null): Promise<LogResult> {
    const failure = refused ?? (await attempt((signal) => insert([entry], signal)));
    if (!failure) return { status: "written", id: entry.id };
    return drop(entry, failure, lineOf(entry, failure, logPayload ? jsonLine(entry) : null));
  }

  async function writeRow({ id, row, property, ...recording }: Recording): Promise<LogResult> {
    const failure = recording.refused ?? (await attempt(recording.insert));
    if (!failure) return { status: "written", id };
    // It is no entry of audit_log, so the line has none.
    const { entry } = prepareEntry({ ...recording.event, id }, newId);
    const line = JSON.parse(lineOf(entry, failure, null));
    const lineWith = (payload: object | null) => jsonLine({ ...line, [property]: payload });
    const full = lineWith(logPayload ? row : null);
    return drop(entry, failure, byteLength(full) <= MAX_LINE_BYTES ? full : lineWith(null));
  }

  return {
    log(event) {
      const { entry, failure } = prepareEntry(event, newId);
      return inBackground(write(entry, failure));
    },
    record: (recording) => inBackground(writeRow(recording)),
    newId,
  };
}

function failureOf(error: unknown): Failure | undefined {
  const failure = classify(error);
  if (failure === "duplicate") return undefined;
  const { status } = (error ?? {}) as { status?: number };
  // What a gateway says has no code but its status.
  const code = failure.code ?? (status ? String(status) : null);
  return { ...failure, code, message: scrubSecrets(failure.message) };
}

/** What Supabase keeps a function alive with; undefined in any other runtime. */
function runtimeWaitUntil(): ((promise: Promise<unknown>) => void) | undefined {
  const runtime = Reflect.get(globalThis, "EdgeRuntime");
  return typeof runtime?.waitUntil === "function"
    ? (promise) => runtime.waitUntil(promise)
    : undefined;
}
