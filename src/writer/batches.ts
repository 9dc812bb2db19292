import type { Clock } from "./types.js";

/** How concurrent events share an insert. One that is alone is sent at once. */
export interface Batching {
  /** Most entries of an insert. */
  maxEntries: number;
  /** Milliseconds for which an event waits at most while another insert is under way. */
  maxDelayMs: number;
}

/**
 * Makes batches of items, so that what happens at once shares an insert as long as that costs no
 * time or little.
 *
 * @param sendBatch resolves when the batch has its answer, and never rejects
 */
export function createBatches<T>(
  { maxEntries, maxDelayMs }: Batching,
  clock: Clock,
  sendBatch: (items: readonly T[]) => Promise<void>,
) {
  let batch: T[] = [];
  /** Batches that wait for their answer. */
  let underWay = 0;
  let cancelDelay: (() => void) | undefined;

  /** Sends what waits, without waiting for more. */
  function send(): void {
    cancelDelay?.();
    cancelDelay = undefined;
    if (batch.length === 0) return;
    const items = batch;
    batch = [];
    underWay += 1;
    void sendBatch(items).then(() => {
      underWay -= 1;
      // With what those do next who were waiting for this one.
      queueMicrotask(sendWhenIdle);
    });
  }

  function sendWhenIdle(): void {
    if (underWay === 0) send();
  }

  return {
    add(item: T): void {
      batch.push(item);
      if (batch.length >= maxEntries) send();
      else if (underWay === 0) queueMicrotask(sendWhenIdle);
      else cancelDelay ??= clock.after(maxDelayMs, send);
    },
    send,
  };
}
