import type { Spool } from "./spool.js";
import type { AuditEntry, Counts } from "./types.js";

/** A spool as the writer sees it. */
export type Disk = ReturnType<typeof createDisk>;

/** Makes the writer's view of a spool, which other processes may have filled. */
export function createDisk(spool: Spool, counts: Counts) {
  let toSettle: string[] = [];
  const disk = {
    /** Whether the last entry that was appended is there. */
    takes: true,
    /** Whether there may be entries that are not in the buffer. */
    hasMore: true,
    /** Puts an entry there, given as JSON too, if there is room. Never rejects. */
    async append(entry: AuditEntry, json: string): Promise<void> {
      const { status } = await spool.append(entry, json);
      disk.takes = status === "spooled";
      counts[disk.takes ? "spooled" : "spoolRefused"] += 1;
    },
    /** Lets go of an entry that is in the database or will never be, at the end of the turn. */
    settle(id: string): void {
      if (toSettle.push(id) > 1) return;
      queueMicrotask(() => {
        const ids = toSettle;
        toSettle = [];
        void spool.settled(ids);
      });
    },
    /** What is there. Raises UserError when that cannot be read. */
    recover: () => spool.recover(),
    /** Resolves when all that it was asked for before is done. Never rejects. */
    idle: () => spool.settled([]),
  };
  return disk;
}
