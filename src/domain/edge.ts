/**
 * pgtrail for Edge Functions: records without keeping the response waiting. It needs a supabase-js
 * client and nothing of Node, and runs in Supabase Edge Functions and in Deno.
 *
 * @packageDocumentation
 */
import type { Database } from "../database/types.js";
import { AuditAction } from "../writer/audit_action.js";
import { byteLength } from "../writer/byte_length.js";
import { classify } from "../writer/classify.js";
import { createIds, prepareEntry } from "../writer/entry.js";
import { failureLine, jsonLine, MAX_LINE_BYTES } from "../writer/failure_line.js";
import { scrubSecrets } from "../writer/scrub.js";
import { abortable, type PostgrestClient, postgrestTransport } from "../writer/transports.js";
import type {
  AuditEntry,
  AuditEvent,
  Failure,
  FailureLine,
  LogResult,
  Reporter,
} from "../writer/types.js";

export type {
  AuditEntry,
  AuditEvent,
  Failure,
  FailureLine,
  LogResult,
  Reporter,
} from "../writer/types.js";

type EvaluationArguments = Database["public"]["Functions"]["record_badge_evaluation"]["Args"];

/** What is used of a supabase-js client, which must have the service role key. */
export interface EdgeSupabase extends PostgrestClient {
  rpc(
    name: "record_badge_evaluation",
    args: EvaluationArguments,
  ): PromiseLike<{ error: unknown; status?: number }>;
}

/** Options of createEdgeAuditLogger. */
export interface EdgeAuditLoggerOptions {
  supabase: EdgeSupabase;
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

/** A run of the evaluation of badges, as `badge_evaluation_logs` has it. */
export interface EvaluationLog {
  /** UUIDv7 of the time of the run. By default made at the call. */
  id?: string;
  org_id: string;
  peer_mentor_id: string;
  /** Milliseconds, with fractions; the database rounds up. */
  duration_ms: number;
  /** The activity that triggered the run; left out for a reconciliation. */
  activity_id?: string | null;
  /** Badge definitions that were checked. */
  badges_evaluated?: string[];
  /** Badge definition -> whether its criteria are met. */
  criteria_outcomes?: Record<string, boolean>;
  /** Badges that the run newly awarded; each with an outcome that is true. */
  badges_awarded?: string[];
  /** SQLSTATE, HTTP status or words of `pgtrail.safe_error`; of other text only that it is unknown. */
  error_message?: string | null;
}

/** A run of the evaluation of badges that goes on. */
export interface EvaluationRun {
  /** Id that its entry will have: of the time when the run began. */
  readonly id: string;
  /** Records the run, with the time since it began. Called again it changes nothing. */
  finish(outcome?: EvaluationOutcome): Promise<LogResult>;
}

/** What is known of a run when it begins. */
export type EvaluationStart = Pick<EvaluationLog, "org_id" | "peer_mentor_id" | "activity_id">;

/** What is known of a run when it ends. */
export type EvaluationOutcome = Omit<EvaluationLog, keyof EvaluationStart | "id" | "duration_ms">;

/** The line about a run that did not reach the database, whence `pgtrail replay` records it. */
export interface EvaluationFailureLine extends FailureLine {
  event: null;
  /**
   * Arguments of record_badge_evaluation without their `p_`; null when `logPayload` is false or they
   * do not fit a log event.
   */
  evaluation: Record<string, unknown> | null;
}

/**
 * Records in the background. What it returns never rejects, and does not have to be awaited: a
 * response that waits for it waits for the database.
 */
export interface EdgeAuditLogger {
  /** Records an event in `audit_log`. */
  log(event: AuditEvent): Promise<LogResult>;
  /** Records a run of the evaluation of badges in `badge_evaluation_logs`. */
  insertEvaluationLog(log: EvaluationLog): Promise<LogResult>;
  /** Begins a run, which is measured with a clock that never goes back. */
  startEvaluation(start: EvaluationStart): EvaluationRun;
}

/**
 * Makes a logger for Edge Functions. There is no buffer: an event is written at once, or it is
 * `dropped` with a line on standard error, whence `pgtrail replay` recovers it.
 */
export function createEdgeAuditLogger(options: EdgeAuditLoggerOptions): EdgeAuditLogger {
  const { supabase, reporter, logger = console, timeoutMs = 5000, logPayload = true } = options;
  const insert = postgrestTransport(supabase);
  const newId = createIds();
  const idOfNow = () => newId(Date.now());

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

  function lineOf(entry: AuditEntry, failure: Failure, withEntry: boolean): string {
    const json = withEntry ? jsonLine(entry) : null;
    return failureLine(entry, { failure, status: "dropped", now: Date.now(), json });
  }

  async function write(entry: AuditEntry, refused: Failure | null): Promise<LogResult> {
    const failure = refused ?? (await attempt((signal) => insert([entry], signal)));
    if (!failure) return { status: "written", id: entry.id };
    return drop(entry, failure, lineOf(entry, failure, logPayload));
  }

  async function writeEvaluation({ row, failure: refused }: Evaluation): Promise<LogResult> {
    const failure = refused ?? (await attempt((signal) => record(supabase, row, signal)));
    if (!failure) return { status: "written", id: row.id };
    // As what the line and the reporter know it. It is no entry of audit_log, so the line has none.
    const described = {
      id: row.id,
      action: AuditAction.badgeEvaluated,
      organisationId: row.org_id ?? null,
      entityType: "peer_mentor",
      entityId: row.peer_mentor_id ?? null,
    };
    const { entry } = prepareEntry(described, idOfNow);
    const line = JSON.parse(lineOf(entry, failure, false));
    const lineWith = (evaluation: EvaluationFailureLine["evaluation"]) =>
      JSON.stringify({ ...line, evaluation } satisfies EvaluationFailureLine);
    const full = lineWith(logPayload ? { ...row } : null);
    return drop(entry, failure, byteLength(full) <= MAX_LINE_BYTES ? full : lineWith(null));
  }

  const insertEvaluationLog = (log: EvaluationLog) =>
    inBackground(writeEvaluation(snapshot(log, idOfNow())));

  return {
    log(event) {
      const { entry, failure } = prepareEntry(event, idOfNow);
      return inBackground(write(entry, failure));
    },
    insertEvaluationLog,
    startEvaluation(start) {
      const id = idOfNow();
      const began = performance.now();
      return {
        id,
        finish: (outcome) =>
          insertEvaluationLog({ ...start, ...outcome, id, duration_ms: performance.now() - began }),
      };
    },
  };
}

async function record(supabase: EdgeSupabase, row: object, signal: AbortSignal): Promise<void> {
  const { error, status } = await abortable(
    supabase.rpc("record_badge_evaluation", argumentsOf(row)),
    signal,
  );
  // The status is all there is to go by when a gateway answered instead of PostgREST.
  if (error) throw typeof error === "object" ? { status, ...error } : error;
}

/** A row of badge_evaluation_logs as it was at the call, or why there is none. */
interface Evaluation {
  row: { id: string } & Partial<EvaluationLog>;
  failure?: Failure;
}

function snapshot(log: EvaluationLog, id: string): Evaluation {
  try {
    return { row: JSON.parse(JSON.stringify({ ...log, id: log.id ?? id }, storable)) };
  } catch {
    const message = "the evaluation is no JSON";
    return { row: { id }, failure: { kind: "permanent", code: null, message } };
  }
}

/** What JSON and the database can hold of a value. Of an error message, what is no secret. */
function storable(key: string, value: unknown): unknown {
  if (typeof value === "bigint") return String(value);
  if (typeof value !== "string") return value;
  const text = value.replace(/\0|\p{Surrogate}/gu, "\ufffd");
  return key === "error_message" ? scrubSecrets(text) : text;
}

function argumentsOf(row: object): EvaluationArguments {
  const given = Object.entries(row).map(([name, value]) => [`p_${name}`, value]);
  return Object.fromEntries(given);
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
