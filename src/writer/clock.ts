import type { Clock } from "./types.js";

/** The clock of the system. */
export const systemClock: Clock = {
  now: Date.now,
  after(milliseconds, run) {
    // What the runtime of a browser or of Deno returns is a number.
    const timer: { unref?(): void } | number = setTimeout(run, milliseconds);
    if (typeof timer === "object") timer.unref?.();
    return () => clearTimeout(timer as Parameters<typeof clearTimeout>[0]);
  },
  random: Math.random,
};

/** Resolves with a promise, which must not reject, or when the time is over. */
export function within(clock: Clock, milliseconds: number, promise: Promise<void>): Promise<void> {
  return new Promise((resolve) => {
    const cancel = clock.after(Math.max(0, milliseconds), resolve);
    void promise.then(() => {
      cancel();
      resolve();
    });
  });
}
