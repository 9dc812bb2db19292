import type { Clock } from "../../../src/writer/types.js";

/** A clock that stands still until it is moved. */
export interface TestClock extends Clock {
  /** Moves on, runs the timers that are due in order, and lets what they started settle. */
  advance(milliseconds: number): Promise<void>;
  /** How many timers are set. */
  readonly timers: number;
  /** Sets the time without running anything, as somebody who sets the clock. */
  set(now: number): void;
}

/** Lets every promise that can settle do so. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** @param random jitter, from 0 to 1; always the longest without it */
export function createTestClock(random: () => number = () => 1): TestClock {
  let now = Date.UTC(2026, 10, 21, 12);
  const timers = new Set<{ at: number; run: () => void }>();
  return {
    now: () => now,
    random,
    after(milliseconds, run) {
      const timer = { at: now + milliseconds, run };
      timers.add(timer);
      return () => void timers.delete(timer);
    },
    async advance(milliseconds) {
      const end = now + milliseconds;
      await settled();
      for (;;) {
        const due = [...timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
        if (!due) break;
        timers.delete(due);
        now = Math.max(now, due.at);
        due.run();
        await settled();
      }
      now = end;
    },
    get timers() {
      return timers.size;
    },
    set(to) {
      now = to;
    },
  };
}
