/**
 * Entries on disk, for a process that may die while the database is away. A process appends to
 * files of its own, one entry a line, and deletes a file when all of its entries are in the
 * database. Whoever starts later takes over the files of processes that have ended.
 */
import * as nodeFs from "node:fs/promises";
import { UserError } from "../errors/user_error.js";
import { asError } from "./as_error.js";
import { jsonLine } from "./failure_line.js";
import { guarded } from "./guarded.js";
import { createAppender, type Line, refused } from "./spool_appender.js";
import { createSpoolFiles } from "./spool_files.js";
import type { SpoolOptions, SpoolResult } from "./spool_options.js";
import { thisProcess } from "./spool_owner.js";
import { createQueue } from "./spool_queue.js";
import { recoverEntries } from "./spool_recovery.js";
import { writeToStderr } from "./stderr.js";
import type { AuditEntry } from "./types.js";

export type { SpoolFileSystem, SpoolOptions, SpoolResult } from "./spool_options.js";

/** Entries on disk. Calls are carried out in the order in which they are made. */
export interface Spool {
  /**
   * Appends an entry, given as JSON too where the caller has that already. Never rejects: when the
   * directory is full or the disk fails, the entry is refused, and nothing of it is kept.
   */
  append(entry: AuditEntry, serialised?: string): Promise<SpoolResult>;
  /**
   * Says that entries are in the database, or refused by it for good. A file whose entries are all
   * settled is deleted. Unknown ids do not matter. Never rejects.
   */
  settled(ids: readonly string[]): Promise<void>;
  /**
   * Gives what is on disk and not settled: entries of processes that have ended, whose files it
   * takes over, then those that this process appended or took over before. They stay on disk until
   * they are settled. A last line that was cut off by a crash is left out. A file with another line
   * that cannot be read is not deleted but renamed to `*.damaged`. Raises UserError when the
   * directory cannot be read.
   */
  recover(): AsyncIterable<AuditEntry>;
  /** What is on disk for this process: written by it, or taken over. */
  stats(): { files: number; bytes: number; entries: number };
  /** Ends it. What is not settled stays on disk for the next to recover. Never rejects. */
  close(): Promise<void>;
}

const FLUSH_MS = 1000;
/** How often a process shows on its files that it is alive, to hosts that cannot see it otherwise. */
const TOUCH_MS = 10_000;

/**
 * Opens a spool in a directory. Raises UserError when the directory cannot be made or read.
 */
export async function openSpool(options: SpoolOptions): Promise<Spool> {
  const { directory, fsync = "interval", fs = nodeFs, onError: told = tellOnStderr } = options;
  const { maxBytes = 256 * 1024 * 1024, maxFileBytes = 8 * 1024 * 1024 } = options;
  const onError = (error: unknown) => guarded(() => told(asError(error)));
  const self = await thisProcess();
  const files = createSpoolFiles({ directory, self, fs, fsync, onError });
  const appender = createAppender(files, fsync, maxFileBytes);
  const queue = createQueue<Line>(appender.append, onError);
  let queuedBytes = 0;
  let closing: Promise<void> | undefined;
  let flushTimer: NodeJS.Timeout | undefined;

  try {
    await fs.mkdir(directory, { recursive: true, mode: 0o700 });
    await files.measureOthers();
  } catch (error) {
    throw new UserError(`cannot use the spool ${directory}: ${asError(error).message}`, {
      hint: "Give it a directory that the process may write to.",
      cause: error,
    });
  }
  const touchTimer = setInterval(() => void queue.run(files.touch), TOUCH_MS);
  touchTimer.unref();

  function flushLater(): void {
    flushTimer ??= setTimeout(() => {
      flushTimer = undefined;
      void queue.run(appender.flush);
    }, FLUSH_MS);
    flushTimer.unref();
  }

  async function end(): Promise<void> {
    clearTimeout(flushTimer);
    await appender.seal();
    await files.release();
  }

  return {
    append(entry, serialised = JSON.stringify(entry)) {
      if (closing) return Promise.resolve(refused("the spool is closed"));
      const bytes = Buffer.from(`${serialised}\n`);
      if (files.othersBytes + files.ownBytes + queuedBytes + bytes.length > maxBytes) {
        return Promise.resolve(refused(`the spool is full: ${maxBytes} bytes`));
      }
      queuedBytes += bytes.length;
      return new Promise((resolve) => {
        const settle = (result: SpoolResult) => {
          queuedBytes -= bytes.length;
          if (fsync === "interval" && result.status === "spooled") flushLater();
          resolve(result);
        };
        queue.add({ id: entry.id, bytes, settle });
      });
    },
    settled: (ids) => queue.run(() => files.settle(ids)),
    recover: () => recoverEntries({ files, queue, onError }),
    stats: () => ({
      files: files.own.size,
      bytes: files.ownBytes,
      entries: [...files.own].reduce((sum, { ids }) => sum + ids.size, 0),
    }),
    close() {
      clearInterval(touchTimer);
      closing ??= queue.run(end);
      return closing;
    },
  };
}

function tellOnStderr({ message }: Error): void {
  const head = { timestamp: new Date().toISOString(), type: "audit_spool_failed" };
  writeToStderr(jsonLine({ ...head, message: "[AUDIT] Spool failed", error: message }));
}
