/**
 * pgtrail for Edge Functions: records without keeping the response waiting. It needs a supabase-js
 * client and nothing of Node, and runs in Supabase Edge Functions and in Deno.
 *
 * @packageDocumentation
 */
import type { Database } from "../database/types.js";
import { createEdgeLogger, type EdgeLogger, type EdgeLoggerOptions } from "../edge/logger.js";
import { scrubSecrets } from "../writer/scrub.js";
import { abortable, type PostgrestClient } from "../writer/transports.js";
import type { Failure, FailureLine, LogResult } from "../writer/types.js";
import { AuditAction } from "./audit_action.js";
import type { EvaluationLog } from "./evaluation_log.js";

export type {
  AuditEntry,
  AuditEvent,
  Failure,
  FailureLine,
  LogResult,
  Reporter,
} from "../writer/types.js";
export type { EvaluationLog } from "./evaluation_log.js";

type EvaluationArguments = Database["public"]["Functions"]["record_badge_evaluation"]["Args"];

/** What is used of a supabase-js client, which must have the service role key. */
export interface EdgeSupabase extends PostgrestClient {
  rpc(
    name: "record_badge_evaluation",
    args: EvaluationArguments,
  ): PromiseLike<{ error: unknown; status?: number }>;
}

/** Options of createEdgeAuditLogger. */
export interface EdgeAuditLoggerOptions extends EdgeLoggerOptions {
  supabase: EdgeSupabase;
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
export interface EdgeAuditLogger extends Pick<EdgeLogger, "log"> {
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
  const { log, record, newId } = createEdgeLogger(options);

  function insertEvaluationLog(evaluation: EvaluationLog): Promise<LogResult> {
    const { row, failure } = snapshot(evaluation, newId());
    return record({
      id: row.id,
      row,
      property: "evaluation",
      event: {
        action: AuditAction.badgeEvaluated,
        organisationId: row.org_id ?? null,
        entityType: "peer_mentor",
        entityId: row.peer_mentor_id ?? null,
      },
      refused: failure,
      insert: (signal) => insertRow(options.supabase, row, signal),
    });
  }

  return {
    log,
    insertEvaluationLog,
    startEvaluation(start) {
      const id = newId();
      const began = performance.now();
      return {
        id,
        finish: (outcome) =>
          insertEvaluationLog({ ...start, ...outcome, id, duration_ms: performance.now() - began }),
      };
    },
  };
}

async function insertRow(supabase: EdgeSupabase, row: object, signal: AbortSignal): Promise<void> {
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
