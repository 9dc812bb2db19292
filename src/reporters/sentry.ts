import type { Reporter } from "../writer/types.js";

/** What is told to Sentry, in the shape of its capture context. */
export interface SentryContext {
  level: "warning";
  fingerprint: string[];
  tags: Record<string, string>;
  contexts: Record<string, Record<string, unknown>>;
}

/** What is used of `@sentry/node`, `@sentry/deno` and the like. */
export interface SentryLike {
  captureMessage(message: string, context: SentryContext): unknown;
}

/** Options of sentryReporter. */
export interface SentryReporterOptions {
  /** How many warnings a minute are sent at most, and at once after a quiet minute. By default 10. */
  ratePerMinute?: number | undefined;
  /** Milliseconds, of a clock that never goes back. By default `performance.now()`. */
  now?: (() => number) | undefined;
}

/**
 * Tells Sentry of events that did not reach the database: one issue for each code, so that an
 * outage is not thousands. What exceeds the rate is counted, and the next warning says how many
 * were held back. What the event changed, and who its user is beyond the id, stays out of it.
 */
export function sentryReporter(
  sentry: SentryLike,
  { ratePerMinute = 10, now = () => performance.now() }: SentryReporterOptions = {},
): Reporter {
  let tokens = ratePerMinute;
  let filledAt = now();
  let heldBack = 0;

  function mayReport(): boolean {
    const time = now();
    tokens = Math.min(ratePerMinute, tokens + ((time - filledAt) / 60_000) * ratePerMinute);
    filledAt = time;
    if (tokens < 1) return false;
    tokens -= 1;
    return true;
  }

  return {
    report({ entry, failure, status }) {
      if (!mayReport()) {
        heldBack += 1;
        return;
      }
      const code = failure.code ?? "none";
      try {
        sentry.captureMessage("[AUDIT] Database write failed", {
          level: "warning",
          fingerprint: ["pgtrail", "audit_write_failed", code],
          tags: { "pgtrail.code": code, "pgtrail.kind": failure.kind, "pgtrail.status": status },
          contexts: {
            pgtrail: {
              action: entry.action,
              userId: entry.actor_id,
              entityType: entry.entity_type,
              entityId: entry.entity_id,
              organisationId: entry.organisation_id,
              eventId: entry.id,
              databaseError: failure.message,
              heldBack,
            },
          },
        });
        heldBack = 0;
      } catch {
        // Not told: the next one says so.
        heldBack += 1;
      }
    },
  };
}
