import { setTimeout as delay } from "node:timers/promises";

/** How often and how patiently a webhook is called. */
export interface Patience {
  /** Milliseconds that an answer may take. */
  timeout: number;
  /** Milliseconds to wait before the second, the third … try. */
  waits: readonly number[];
}

const PATIENCE: Patience = { timeout: 10_000, waits: [1000, 4000] };

/**
 * Posts `body` as JSON and resolves with whether that was accepted (a status of 200 to 299), trying
 * again as `patience` says. Never rejects: `failed` is told of each try that failed.
 *
 * @param url may hold a secret, so that it is never part of what `failed` is told
 * @param abandon ends the try that is under way and allows no other
 */
export async function post(
  url: string,
  body: object,
  failed: (attempt: number, error: { code: string | null; message: string }) => void,
  abandon: AbortSignal,
  { timeout, waits }: Patience = PATIENCE,
): Promise<boolean> {
  for (let attempt = 1; ; attempt++) {
    const error = await postOnce(url, body, timeout, abandon);
    if (!error) return true;
    failed(attempt, error);
    const wait = waits[attempt - 1];
    if (wait === undefined || abandon.aborted) return false;
    await delay(wait, undefined, { signal: abandon }).catch(() => {});
    if (abandon.aborted) return false;
  }
}

async function postOnce(url: string, body: object, timeout: number, abandon: AbortSignal) {
  // Not AbortSignal.any: its signals stay reachable from a signal that lives as long as we do.
  const limit = new AbortController();
  const giveUp = () => limit.abort();
  const timer = setTimeout(giveUp, timeout);
  abandon.addEventListener("abort", giveUp);
  try {
    const response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
      // A redirected POST would arrive as a GET.
      redirect: "manual",
      signal: limit.signal,
    });
    await response.body?.cancel();
    return response.ok
      ? undefined
      : { code: String(response.status), message: `the webhook answered ${response.status}` };
  } catch (error) {
    if (abandon.aborted) return { code: null, message: "the worker was stopped meanwhile" };
    if (limit.signal.aborted) {
      return { code: null, message: `the webhook did not answer within ${timeout / 1000} seconds` };
    }
    // What fetch raises says only that it failed, the cause why.
    const { code } = ((error as Error).cause ?? {}) as { code?: string };
    return { code: code ?? null, message: "the webhook cannot be reached" };
  } finally {
    clearTimeout(timer);
    abandon.removeEventListener("abort", giveUp);
  }
}
