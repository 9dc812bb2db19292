import type { Spool, SpoolResult } from "../../../src/writer/spool.js";
import type { AuditEntry } from "../../../src/writer/types.js";

/** A disk that fails on demand. */
export interface FakeSpool {
  spool: Spool;
  /** What it does with what is appended: keeps it, has no room for it, or takes forever. */
  mode: "ok" | "full" | "hang";
  /** What is on disk, by id, in order. */
  readonly entries: Map<string, AuditEntry>;
  /** Lets what hangs go on. */
  release(): void;
}

/** @param left what processes that have ended left on disk */
export function createFakeSpool(left: readonly AuditEntry[] = []): FakeSpool {
  const entries = new Map(left.map((entry) => [entry.id, entry]));
  const hanging: (() => void)[] = [];
  // As the real one, it carries out one call after the other.
  let queue: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(run: () => T | Promise<T>): Promise<T> => {
    const done = queue.then(run);
    queue = done;
    return done;
  };
  const fake: FakeSpool = {
    mode: "ok",
    entries,
    spool: {
      append: (entry, serialised = "") =>
        inTurn(async (): Promise<SpoolResult> => {
          if (fake.mode === "hang") await new Promise<void>((resolve) => hanging.push(resolve));
          if (fake.mode === "full") return { status: "refused", reason: "the spool is full" };
          entries.set(entry.id, JSON.parse(serialised));
          return { status: "spooled" };
        }),
      settled: (ids) =>
        inTurn(() => {
          for (const id of ids) entries.delete(id);
        }),
      async *recover() {
        for (const entry of await inTurn(() => [...entries.values()])) {
          if (entries.has(entry.id)) yield entry;
        }
      },
      stats: () => ({ files: 1, bytes: 0, entries: entries.size }),
      close: () => inTurn(() => {}),
    },
    release() {
      for (const resolve of hanging.splice(0)) resolve();
    },
  };
  return fake;
}
