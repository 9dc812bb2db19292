import type { Availability } from "./availability.js";
import { byteLength } from "./byte_length.js";
import type { Deliver } from "./deliver.js";
import type { Disk } from "./disk.js";
import { unavailable } from "./failures.js";
import { guarded } from "./guarded.js";
import type { Item, Items } from "./items.js";
import type { Settings } from "./options.js";
import { jsonOf } from "./tell.js";
import type { Counts, Failure, FlushReport } from "./types.js";

/** Most entries, and bytes of JSON, of one insert from the buffer. */
const FLUSH_ENTRIES = 500;
const FLUSH_BYTES = 1024 * 1024;

/** How often the disk is looked at for what other processes left there, in milliseconds. */
const LOOK_MS = 60_000;

/** What a flusher works with. */
export interface FlusherParts extends Pick<Settings, "clock" | "backoff" | "onRecovery"> {
  items: Pick<Items, "buffer" | "spooled" | "dropped">;
  disk: Disk | undefined;
  availability: Availability;
  deliver: Deliver<Item>;
  /** Aborted when the writer is being closed: what is on disk is for the next process then. */
  closing: AbortSignal;
}

/**
 * Makes a flusher, which writes what was kept as soon as that may succeed, and looks at the disk at
 * once and every minute.
 */
export function createFlusher(parts: FlusherParts, counts: Counts) {
  const { clock, backoff, onRecovery, items, disk, availability, deliver, closing } = parts;
  const { buffer } = items;
  /** The database was away, and onRecovery has not been told that it is back. */
  let recovering = false;
  let flushing: Promise<FlushReport> | undefined;
  let cancelWake: (() => void) | undefined;
  let cancelLook: (() => void) | undefined;

  /**
   * Writes what is in the buffer, then what is on disk; there is one flush at a time. `force` asks
   * the database even though it is known to be away.
   */
  function flush(force = false): Promise<FlushReport> {
    flushing ??= flushOnce(force).finally(() => {
      flushing = undefined;
      // It may have come back while the flush was giving up.
      if (recovering && availability.available) void flush();
      else wake();
    });
    return flushing;
  }

  /** Sees to it that what is kept is written, or the database asked whether it is back. */
  function wake(): void {
    const idle = buffer.size === 0 && !disk?.hasMore && availability.available;
    if (cancelWake || flushing || closing.aborted || idle) return;
    // Never at once: either something just failed, or another attempt is finding out.
    cancelWake = clock.after(availability.wait || backoff.initialMs, () => {
      cancelWake = undefined;
      void flush();
    });
  }

  async function flushOnce(force: boolean): Promise<FlushReport> {
    // Lets go of whoever called, whose own work comes first.
    await Promise.resolve();
    const before = { flushed: counts.flushed, dropped: items.dropped };
    for (;;) {
      const kept = buffer.oldest(FLUSH_ENTRIES, FLUSH_BYTES);
      // Without entries, it is asked all the same as long as it is away.
      if (kept.length === 0 && availability.available) break;
      if (await send(kept, force)) break;
    }
    const report = {
      flushed: counts.flushed - before.flushed,
      failed: items.dropped - before.dropped,
      remaining: buffer.size,
    };
    if (recovering && availability.available) {
      recovering = false;
      guarded(() => onRecovery?.(report));
    }
    if (disk?.hasMore && !closing.aborted) await recover(disk, force);
    return report;
  }

  /** Gives why some have to be sent again, or null. */
  function send(some: readonly Item[], force: boolean): Promise<Failure | null> | Failure {
    const attempt = availability.begin(force);
    return attempt ? deliver(some, attempt) : unavailable;
  }

  /** Writes what is on disk, until something has to be kept again or the writer is closed. */
  async function recover(from: Disk, force: boolean): Promise<void> {
    let read: Item[] = [];
    let bytes = 0;
    try {
      for await (const entry of from.recover()) {
        // What is in the buffer is on disk as well, and comes first.
        if (buffer.size > 0 || closing.aborted) return;
        const item = items.spooled(entry);
        read.push(item);
        bytes += byteLength(jsonOf(item));
        if (read.length < FLUSH_ENTRIES && bytes < FLUSH_BYTES) continue;
        if (await send(read, force)) return;
        read = [];
        bytes = 0;
      }
      const left = read.length > 0 && (await send(read, force));
      from.hasMore = Boolean(left) || buffer.size > 0;
    } catch {
      // The directory cannot be read now. It is looked at again in a while.
      from.hasMore = false;
    }
  }

  /** Another process may have ended meanwhile. */
  function look(on: Disk): void {
    cancelLook = clock.after(LOOK_MS, () => look(on));
    on.hasMore = true;
    // While the database is away, the probe of the buffer comes first.
    if (availability.available) void flush();
    else wake();
  }

  if (disk) look(disk);

  return {
    flush,
    wake,
    /** Is told when the database has gone away, and when it is back. */
    changed(available: boolean): void {
      if (available) void flush();
      else recovering = true;
    },
    /** Flushes only when asked to, from now on. */
    stop(): void {
      cancelWake?.();
      cancelLook?.();
    },
  };
}
