import type { Clock } from "./types.js";

/** How long to stay away from a database that failed, in milliseconds. */
export interface Backoff {
  /** Upper bound of the first delay; each failure doubles it. */
  initialMs: number;
  /** Upper bound of every delay. */
  maxMs: number;
}

/** An attempt that may be made. Its outcome is told once. */
export interface Attempt {
  succeeded(): void;
  /** The database could not be reached or could not do it now. */
  failed(): void;
}

/** Whether the database is worth asking. */
export interface Availability {
  /** False after a failure, until an attempt succeeds. */
  readonly available: boolean;
  /** Milliseconds until an attempt may be made; 0 when one may be made now. */
  readonly wait: number;
  /**
   * An attempt, or null while none may be made: the database failed, and either the delay is not
   * over or another attempt is finding out. `force` asks all the same.
   */
  begin(force?: boolean): Attempt | null;
}

/**
 * Makes a circuit breaker. A failure closes the way to the database for a random part of a delay
 * that doubles from failure to failure (exponential backoff with full jitter); then one attempt at
 * a time is let through, and the first that succeeds opens the way.
 *
 * @param onChange called with the new state, after it changed
 */
export function createAvailability(
  clock: Clock,
  { initialMs, maxMs }: Backoff,
  onChange: (available: boolean) => void = () => {},
): Availability {
  let available = true;
  let failures = 0;
  let probeAt = 0;
  /** The attempt that is finding out whether the database is back. */
  let probe: Attempt | null = null;
  // An attempt that began before the last change says nothing new when it fails.
  let generation = 0;

  function change(to: boolean): void {
    available = to;
    generation += 1;
    onChange(to);
  }

  function stayAway(): void {
    const bound = Math.min(maxMs, initialMs * 2 ** Math.min(failures, 30));
    failures += 1;
    probeAt = clock.now() + Math.ceil(clock.random() * bound);
  }

  function attempt(): Attempt {
    const begun = generation;
    const self: Attempt = {
      succeeded() {
        if (probe === self) probe = null;
        if (available) return;
        failures = 0;
        probe = null;
        change(true);
      },
      failed() {
        const wasProbe = probe === self;
        if (wasProbe) probe = null;
        if (available && begun === generation) {
          stayAway();
          change(false);
        } else if (wasProbe) {
          stayAway();
        }
      },
    };
    return self;
  }

  function wait(): number {
    const left = probeAt - clock.now();
    // More than the longest delay is left only when the clock was set back.
    return available || left > maxMs ? 0 : Math.max(0, left);
  }

  return {
    get available() {
      return available;
    },
    get wait() {
      return wait();
    },
    begin(force = false) {
      if (available) return attempt();
      if (!force && (probe || wait() > 0)) return null;
      probe = attempt();
      return probe;
    },
  };
}
