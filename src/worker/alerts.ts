import type pg from "pg";
import { describeError } from "./describe_error.js";
import { post } from "./webhook.js";

/** An alert as it is told and posted. */
export interface Alert {
  /** Id in pgtrail.alert. */
  alert: string;
  severity: "warning" | "critical";
  kind: string;
  organisation_id: string | null;
  payload: unknown;
  raised_at: Date;
}

/**
 * Tells alerts, each once, and again when its severity changes. One that the webhook did not accept
 * is posted again with the next call.
 */
export interface AlertForwarder {
  /** Tells the open alerts that it has not told. Calls while one waits are one. Never rejects. */
  forward(client: pg.ClientBase): Promise<void>;
  /**
   * Waits for what is being posted, `limit` milliseconds at most and not once `hurry` is aborted.
   * Resolves with whether every alert could be read and was accepted.
   */
  finish(limit: number, hurry: AbortSignal): Promise<boolean>;
}

const OPEN_ALERTS = `
  select alert_id as alert, severity, kind, organisation_id, payload, raised_at
  from pgtrail.open_alerts()`;

/**
 * @param tell receives alerts, and lines about what failed
 * @param webhook where alerts are posted to, if anywhere
 */
export function alertForwarder(
  tell: (line: object) => void,
  webhook: string | undefined,
): AlertForwarder {
  /** Severity by alert, as told last. */
  const told = new Map<string, string>();
  /** By alert, so that what is posted about one arrives in order. */
  const deliveries = new Map<string, Promise<void>>();
  /** Not accepted, though tried several times. */
  const refused = new Set<string>();
  const abandon = new AbortController();
  let complete = true;
  let reading = Promise.resolve();
  let isQueued = false;

  async function read(client: pg.ClientBase): Promise<void> {
    try {
      const { rows } = await client.query<Alert>(OPEN_ALERTS);
      const open = new Set(rows.map(({ alert }) => alert));
      for (const known of [told, refused]) {
        for (const alert of known.keys()) if (!open.has(alert)) known.delete(alert);
      }
      for (const row of rows) {
        const isNews = told.get(row.alert) !== row.severity;
        told.set(row.alert, row.severity);
        if (isNews) tell(row);
        const isRefused = refused.delete(row.alert);
        if (webhook !== undefined && (isNews || isRefused)) deliver(row, webhook);
      }
    } catch (error) {
      complete = false;
      tell({ time: new Date(), job: "alerts", error: describeError(error) });
    }
  }

  function deliver(alert: Alert, url: string): void {
    const id = alert.alert;
    const delivery = (deliveries.get(id) ?? Promise.resolve())
      .then(() =>
        post(
          url,
          alert,
          (attempt, error) => {
            tell({ time: new Date(), job: "webhook", for: id, attempt, error });
          },
          abandon.signal,
        ),
      )
      .then((accepted) => {
        complete &&= accepted;
        if (!accepted) refused.add(id);
        if (deliveries.get(id) === delivery) deliveries.delete(id);
      });
    deliveries.set(id, delivery);
  }

  return {
    forward(client) {
      // Anybody may notify the channel, as often as they like.
      if (!isQueued) {
        isQueued = true;
        reading = reading.then(() => {
          isQueued = false;
          return read(client);
        });
      }
      return reading;
    },
    async finish(limit, hurry) {
      const giveUp = () => abandon.abort();
      const timer = setTimeout(giveUp, limit);
      hurry.addEventListener("abort", giveUp);
      if (hurry.aborted) giveUp();
      await Promise.all(deliveries.values());
      hurry.removeEventListener("abort", giveUp);
      clearTimeout(timer);
      return complete;
    },
  };
}
