/**
 * The failsafe writer: writes events into `audit_log`, and keeps them while the database is away.
 * docs/writer.md tells how to use it.
 */
export type { Backoff } from "./availability.js";
export type { AuditActionName } from "./common_action.js";
export { PLATFORM_ORGANISATION } from "./entry.js";
export type { BufferLimits } from "./ring_buffer.js";
export {
  openSpool,
  type Spool,
  type SpoolFileSystem,
  type SpoolOptions,
  type SpoolResult,
} from "./spool.js";
export {
  type PgClient,
  type PgPool,
  type PgPoolClient,
  type PostgrestClient,
  pgTransport,
  postgrestTransport,
} from "./transports.js";
export type {
  ActorKind,
  AuditEntry,
  AuditEvent,
  Clock,
  Failure,
  FailureLine,
  Json,
  LogResult,
  Reporter,
  Transport,
  WriterMetrics,
} from "./types.js";
export {
  AuditWriteError,
  type AuditWriter,
  type AuditWriterOptions,
  type Batching,
  createAuditWriter,
  type DroppedEntry,
  type FlushReport,
} from "./writer.js";
