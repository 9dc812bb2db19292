import type { Attempt, Availability } from "./availability.js";
import { classify } from "./classify.js";
import { noAnswer, unavailable } from "./failures.js";
import type { AuditEntry, Clock, Failure, Transport } from "./types.js";

/** What came of an insert: null when it was done, and what was thrown when it was not. */
export interface Outcome {
  failure: Failure | "duplicate" | null;
  error?: unknown;
}

/**
 * One insert. Never rejects, and resolves when the time for it is over; `late` is called when it
 * turns out afterwards that it was done all the same.
 */
export type Insert = (entries: readonly AuditEntry[], late: () => void) => Promise<Outcome>;

/** Makes inserts through a transport, each of which is aborted after some milliseconds. */
export function createInsert(transport: Transport, clock: Clock, timeoutMs: number): Insert {
  return (entries, late) =>
    new Promise((resolve) => {
      const controller = new AbortController();
      let over = false;
      const cancel = clock.after(timeoutMs, () => {
        over = true;
        const failure = noAnswer(timeoutMs);
        resolve({ failure });
        controller.abort(new Error(failure.message));
      });
      const end = (failure: Outcome["failure"], error?: unknown) => {
        cancel();
        if (over && failure === null) late();
        resolve({ failure, error });
      };
      // Called in a promise, so that a transport that throws at once rejects as well.
      new Promise<void>((done) => done(transport(entries, controller.signal))).then(
        () => end(null),
        (error) => end(classify(error), error),
      );
    });
}

/** Sends items and says what became of each. Gives why they have to be sent again, or null. */
export type Deliver<T> = (items: readonly T[], attempt: Attempt) => Promise<Failure | null>;

/**
 * Makes what sends items in one insert and, where one of them is refused for good, halves them until
 * that one stands alone.
 */
export function createDeliver<T extends { readonly entry: AuditEntry }>(
  insert: Insert,
  availability: Pick<Availability, "begin">,
  { written, failed }: { written(item: T): void; failed(item: T, failure: Failure): void },
): Deliver<T> {
  return async function deliver(items, attempt): Promise<Failure | null> {
    const succeed = () => {
      for (const item of items) written(item);
      attempt.succeeded();
    };
    const entries = items.map(({ entry }) => entry);
    const { failure } = await insert(entries, succeed);
    if (failure === null || (failure === "duplicate" && items.length === 1)) {
      succeed();
      return null;
    }
    if (failure !== "duplicate" && failure.kind === "transient") {
      // First, so that what is kept now finds the database unavailable.
      attempt.failed();
      for (const item of items) failed(item, failure);
      return failure;
    }
    if (items.length <= 1) {
      for (const item of items) failed(item, failure as Failure);
      attempt.succeeded();
      return null;
    }
    // It was an answer, so the database is there; which of the items it was about is not known.
    attempt.succeeded();
    const middle = Math.ceil(items.length / 2);
    let transient: Failure | null = null;
    for (const half of [items.slice(0, middle), items.slice(middle)]) {
      const next = transient ? null : availability.begin();
      if (next) {
        transient = await deliver(half, next);
      } else {
        transient ??= unavailable;
        for (const item of half) failed(item, transient);
      }
    }
    return transient;
  };
}
