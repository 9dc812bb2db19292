import type { Failure } from "./types.js";

const transient = (message: string): Failure => ({ kind: "transient", code: null, message });

/** The database is known to be away, so that it was not asked. */
export const unavailable = transient("the database is unavailable");

/** The database did not answer within so many milliseconds. */
export const noAnswer = (ms: number): Failure => transient(`no answer within ${ms} ms`);

/** The event came after the writer was closed. */
export const closed: Failure = { kind: "permanent", code: null, message: "the writer is closed" };

/** Whether the entry only came too late, so that another process may still write it. */
export function isLate(failure: Failure): boolean {
  return failure === closed || failure.kind === "transient";
}
