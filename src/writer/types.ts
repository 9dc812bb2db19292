/** What the writer takes, gives back, and asks of what it works with. */

import type { AuditActionName } from "./common_action.js";

/** A value of JSON. */
export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };

/** Who acts, as `audit_log.actor_kind` has it. */
export type ActorKind = "user" | "service" | "system" | "impersonated";

/** An event, as the application tells it. */
export interface AuditEvent {
  /** What happened: a constant of `AuditAction`, or a name of your own such as `invoice.approved`. */
  action: AuditActionName;
  /** The tenant, a UUID; left out, the event belongs to the platform. */
  organisationId?: string | null;
  entityType?: string | null;
  entityId?: string | null;
  actorId?: string | null;
  /** By default `impersonated`, `user` or `service`, by what is given. */
  actorKind?: ActorKind | null;
  impersonatorId?: string | null;
  /** JSON objects; what JSON cannot hold is rendered as text. */
  changes?: Record<string, unknown> | null;
  details?: Record<string, unknown> | null;
  ipAddress?: string | null;
  userAgent?: string | null;
  requestId?: string | null;
  traceId?: string | null;
  /** UUIDv7 of the time of the event. By default made at the call. */
  id?: string;
}

/**
 * An entry of `audit_log`, ready to be inserted: named and shaped as its columns are. The same id
 * sent again is the same entry.
 */
export interface AuditEntry {
  id: string;
  organisation_id: string;
  actor_id: string | null;
  actor_kind: ActorKind;
  impersonator_id: string | null;
  action: string;
  entity_type: string | null;
  entity_id: string | null;
  changes: { [key: string]: Json } | null;
  details: { [key: string]: Json } | null;
  ip_address: string | null;
  user_agent: string | null;
  request_id: string | null;
  trace_id: string | null;
}

/** What became of an event. */
export interface LogResult {
  /**
   * `written`: in the database. `buffered`: in memory, and on standard error until it is written.
   * `dropped`: it will not be written by this process; it is on standard error, whence
   * `pgtrail replay` recovers it.
   */
  status: "written" | "buffered" | "dropped";
  /** Id of the entry, whichever way it gets into the database. */
  id: string;
  /** Why it was not written. Absent when it was. */
  reason?: string;
}

/**
 * Inserts entries, all or none, leaving out those whose id is there already. Rejects with the
 * error of the database or of the connection as it is. After it is aborted, what became of the
 * entries is unknown: they are sent again under the same ids. Called without entries, it only finds
 * out whether the database answers.
 */
export type Transport = (entries: readonly AuditEntry[], signal: AbortSignal) => Promise<void>;

/** The times the writer reads and the timers it sets. Tests have their own. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Calls `run` after some milliseconds, once; returns what cancels it. Keeps no process alive. */
  after(milliseconds: number, run: () => void): () => void;
  /** From 0 to 1, for jitter. */
  random(): number;
}

/** Why an event did not reach the database. */
export interface Failure {
  /** `transient`: the same will work later. `permanent`: this entry will never be taken. */
  kind: "transient" | "permanent";
  /** SQLSTATE, code of the system (ECONNREFUSED) or of the ORM (P1001); null when there is none. */
  code: string | null;
  message: string;
}

/** Told of every event that did not reach the database. Must not throw; what it throws is ignored. */
export interface Reporter {
  report(event: { entry: AuditEntry; failure: Failure; status: "buffered" | "dropped" }): void;
}

/** The line on standard error about an event that did not reach the database. One JSON object. */
export interface FailureLine {
  /** ISO 8601, UTC, milliseconds. */
  timestamp: string;
  type: "audit_write_failed";
  message: "[AUDIT] Database write failed";
  action: string;
  entityType: string | null;
  entityId: string | null;
  userId: string | null;
  error: string;
  code: string | null;
  eventId: string;
  /** `buffered`, `dropped`, or `evicted` from the buffer. */
  status: "buffered" | "dropped" | "evicted";
  /**
   * The entry. Null if `logPayload` is false, it does not fit a log event, or an earlier line about
   * the same event has it.
   */
  event: AuditEntry | null;
}

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

/** How the writer is doing. Counts are of events since it was made. */
export interface WriterMetrics {
  /** False after a failure, until an attempt succeeds. */
  dbAvailable: boolean;
  /** Inserted when they happened. */
  written: number;
  /** Put into the buffer, and those that are in it now. */
  buffered: number;
  inBuffer: number;
  bufferBytes: number;
  /** Inserted from the buffer. */
  flushed: number;
  /** Neither written nor buffered: refused for good, or the writer was closed. */
  dropped: number;
  /** Pushed out of the buffer by newer ones. */
  evicted: number;
  /** Structured lines that the logger did not take. */
  linesLost: number;
  /** Put on disk, and those that the spool did not take; both 0 without a spool. */
  spooled: number;
  spoolRefused: number;
  /** Inserted from disk: evicted from the buffer before, or left by a process that has ended. */
  recovered: number;
  /** Age of the oldest buffered event in milliseconds; null when there is none. */
  oldestBufferedMs: number | null;
}

/** What the writer counts. */
export type Counts = Omit<
  WriterMetrics,
  "dbAvailable" | "inBuffer" | "bufferBytes" | "oldestBufferedMs"
>;
