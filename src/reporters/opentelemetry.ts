import type { Reporter } from "../writer/types.js";

/** What is used of a meter of `@opentelemetry/api`. */
export interface MeterLike {
  createCounter(
    name: string,
    options: { description: string; unit: string },
  ): { add(value: number, attributes: Record<string, string>): void };
}

/** What is used of a logger of `@opentelemetry/api-logs`. */
export interface LoggerLike {
  emit(record: {
    eventName: string;
    severityNumber: number;
    severityText: string;
    body: string;
    attributes: Record<string, string>;
  }): void;
}

/** Options of openTelemetryReporter: where to count, where to log, or both. */
export interface OpenTelemetryReporterOptions {
  meter?: MeterLike | undefined;
  logger?: LoggerLike | undefined;
}

/** WARN, as OpenTelemetry numbers severities. */
const warn = 13;

/**
 * Tells OpenTelemetry of events that did not reach the database: the counter
 * `pgtrail.audit.write.failures` by code, kind and status, and a log record for each event.
 */
export function openTelemetryReporter({ meter, logger }: OpenTelemetryReporterOptions): Reporter {
  const failures = meter?.createCounter("pgtrail.audit.write.failures", {
    description: "Audit events that did not reach the database when they happened.",
    unit: "{event}",
  });
  return {
    report({ entry, failure, status }) {
      const attributes = { code: failure.code ?? "none", kind: failure.kind, status };
      ignoringErrors(() => failures?.add(1, attributes));
      ignoringErrors(() =>
        logger?.emit({
          eventName: "pgtrail.audit_write_failed",
          severityNumber: warn,
          severityText: "WARN",
          body: "[AUDIT] Database write failed",
          attributes: withoutNulls({
            "pgtrail.code": failure.code,
            "pgtrail.kind": failure.kind,
            "pgtrail.status": status,
            "pgtrail.error": failure.message,
            "pgtrail.event_id": entry.id,
            "pgtrail.action": entry.action,
            "pgtrail.entity_type": entry.entity_type,
            "pgtrail.entity_id": entry.entity_id,
            "pgtrail.organisation_id": entry.organisation_id,
            "enduser.id": entry.actor_id,
          }),
        }),
      );
    },
  };
}

/** A reporter must not throw, whatever exporters and processors do. */
function ignoringErrors(work: () => void): void {
  try {
    work();
  } catch {
    // The line on standard error is there all the same.
  }
}

function withoutNulls(attributes: Record<string, string | null>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(attributes).filter((each): each is [string, string] => each[1] !== null),
  );
}
