/**
 * Entries on disk, for a process that may die while the database is away. A process appends to
 * files of its own, one entry a line, and deletes a file when all of its entries are in the
 * database. Whoever starts later takes over the files of processes that have ended.
 */
import * as nodeFs from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { v7 } from "uuid";
import { UserError } from "../errors/user_error.js";
import { jsonLine } from "./failure_line.js";
import { writeToStderr } from "./stderr.js";
import type { AuditEntry } from "./types.js";

/** The file system, as far as the spool uses it. */
export type SpoolFileSystem = Pick<
  typeof nodeFs,
  "mkdir" | "open" | "readdir" | "readFile" | "rename" | "stat" | "unlink" | "utimes"
>;

/** Options of openSpool. */
export interface SpoolOptions {
  /** Made when missing, for the user of the process alone. Several processes may share it. */
  directory: string;
  /**
   * When what was appended is flushed to the disk: before `append` resolves (`always`), so that it
   * survives a crash of the machine; within a second (`interval`, the default); when the system
   * likes (`never`). A crash of the process alone loses nothing in either case.
   */
  fsync?: "always" | "interval" | "never" | undefined;
  /** Most bytes of all files in the directory. By default 256 MiB. */
  maxBytes?: number | undefined;
  /** Bytes after which a file is followed by another. By default 8 MiB. */
  maxFileBytes?: number | undefined;
  /**
   * Told of what went wrong beside a call: flushing to the disk, deleting a file, or looking into the
   * directory, which happens every ten seconds. By default it is a line on standard error, one JSON
   * object of type `audit_spool_failed`.
   */
  onError?: ((error: Error) => void) | undefined;
  /** By default that of Node. */
  fs?: SpoolFileSystem | undefined;
}

/** What became of an entry. */
export type SpoolResult = { status: "spooled" } | { status: "refused"; reason: string };

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

/** A file of this process. */
interface SpoolFile {
  path: string;
  bytes: number;
  /** Ids of its entries that are not settled. */
  ids: Set<string>;
  /** Open while it is appended to. */
  handle: nodeFs.FileHandle | undefined;
  /** Whether all of its entries are known, so that it can be deleted once none is left. */
  complete: boolean;
  damaged: boolean;
}

interface Append {
  id: string;
  line: Buffer;
  resolve(result: SpoolResult): void;
}

type Work = { append: Append } | { run: () => Promise<void> };

const flushEveryMs = 1000;
/** How often a process shows on its files that it is alive, to hosts that cannot see it otherwise. */
const touchEveryMs = 10_000;
/** How long a file of another host must have been left alone to be taken over. */
const abandonedAfterMs = 60_000;

/**
 * Opens a spool in a directory. Raises UserError when the directory cannot be made or read.
 */
export async function openSpool(options: SpoolOptions): Promise<Spool> {
  const { directory, fsync = "interval", fs = nodeFs, onError: told = tellOnStderr } = options;
  const { maxBytes = 256 * 1024 * 1024, maxFileBytes = 8 * 1024 * 1024 } = options;
  const self = await thisProcess();
  const files = new Set<SpoolFile>();
  const queue: Work[] = [];
  let current: SpoolFile | undefined;
  let queuedBytes = 0;
  /** Bytes of files that are not of this process, when last looked at. */
  let othersBytes = 0;
  let touchedAt = Date.now();
  let running: Promise<void> | undefined;
  let isClosed = false;
  const onError = (error: unknown): void => {
    try {
      told(asError(error));
    } catch {
      // There is nobody else to tell.
    }
  };
  const ownBytes = () => [...files].reduce((sum, { bytes }) => sum + bytes, 0);
  /** Undefined when there is no such file, or no longer. */
  const sizeOf = (path: string) =>
    fs.stat(path).then(
      ({ size }) => size,
      () => undefined,
    );
  let flushTimer: NodeJS.Timeout | undefined;

  try {
    await fs.mkdir(directory, { recursive: true, mode: 0o700 });
    await measureOthers();
  } catch (error) {
    throw new UserError(`cannot use the spool ${directory}: ${asError(error).message}`, {
      hint: "Give it a directory that the process may write to.",
      cause: error,
    });
  }

  const touchTimer = setInterval(() => void enqueue({ run: touch }), touchEveryMs);
  touchTimer.unref();

  /** Puts work into the queue, and resolves when it and all before it is done. Never rejects. */
  function enqueue(work: Work): Promise<void> {
    queue.push(work);
    running ??= drain();
    return running;
  }

  /** Does something between what was called before and what is called later. */
  function inTurn<T>(run: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      void enqueue({ run: () => run().then(resolve, reject) });
    });
  }

  async function drain(): Promise<void> {
    // Those that call in the same turn share a write and a flush.
    await Promise.resolve();
    for (let work = queue.shift(); work; work = queue.shift()) {
      if ("run" in work) {
        await work.run().catch((error) => onError(error));
        continue;
      }
      const batch = [work.append];
      for (let next = queue[0]; next && "append" in next; next = queue[0]) {
        batch.push(next.append);
        queue.shift();
      }
      await appendBatch(batch);
    }
    // In the same turn in which the queue was found empty, so that nothing is left in it.
    running = undefined;
  }

  async function appendBatch(batch: Append[]): Promise<void> {
    let left = batch;
    while (left.length > 0) {
      let count = 0;
      let bytes = current?.bytes ?? 0;
      do bytes += left[count++]?.line.length ?? 0;
      while (count < left.length && bytes < maxFileBytes);
      const now = left.slice(0, count);
      left = left.slice(count);
      const error = await write(now).then(() => undefined, asError);
      for (const { id, line, resolve } of now) {
        queuedBytes -= line.length;
        if (!error) current?.ids.add(id);
        resolve(error ? refused(`cannot write to the spool: ${error.message}`) : spooled);
      }
      if (error || (current && current.bytes >= maxFileBytes)) await seal();
    }
  }

  /** Appends lines to the current file, all or none. */
  async function write(batch: Append[]): Promise<void> {
    // Another host may take this process for dead, and its file for abandoned.
    if (current && Date.now() - touchedAt > abandonedAfterMs / 2) await seal();
    const file = current ?? (await create());
    const { handle, bytes } = file;
    if (!handle) throw new Error("the file is closed");
    const lines = Buffer.concat(batch.map(({ line }) => line));
    try {
      await handle.appendFile(lines);
      if (fsync === "always") await handle.datasync();
    } catch (error) {
      // Half a line must not be glued to the next one, nor what was refused be recovered.
      await handle.truncate(bytes).catch(() => {});
      throw error;
    }
    file.bytes += lines.length;
    if (fsync === "interval") flushLater();
  }

  async function create(): Promise<SpoolFile> {
    const path = join(directory, nameOf(self));
    const handle = await fs.open(path, "ax", 0o600);
    const file: SpoolFile = {
      path,
      bytes: 0,
      ids: new Set(),
      handle,
      complete: false,
      damaged: false,
    };
    current = file;
    files.add(file);
    touchedAt = Date.now();
    if (fsync !== "never") await flushDirectory();
    return file;
  }

  function flushLater(): void {
    flushTimer ??= setTimeout(() => {
      flushTimer = undefined;
      void enqueue({ run: async () => current?.handle?.datasync() });
    }, flushEveryMs);
    flushTimer.unref();
  }

  /** So that names are on the disk too, where the system can. */
  async function flushDirectory(): Promise<void> {
    const handle = await fs.open(directory, "r");
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  }

  /** Ends the current file: what comes next goes into another. */
  async function seal(): Promise<void> {
    const file = current;
    current = undefined;
    if (!file) return;
    file.complete = true;
    try {
      if (fsync !== "never") await file.handle?.datasync();
    } catch (error) {
      onError(error);
    }
    await file.handle?.close().catch((error) => onError(error));
    file.handle = undefined;
    await removeIfSettled(file);
  }

  async function removeIfSettled(file: SpoolFile): Promise<void> {
    if (file.ids.size > 0) return;
    if (file === current) return seal();
    if (!file.complete) return;
    try {
      if (file.damaged) await fs.rename(file.path, `${file.path}.damaged`);
      else await fs.unlink(file.path);
    } catch (error) {
      // Its entries are sent again by whoever recovers it, under the same ids.
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") onError(error);
    }
    files.delete(file);
    if (file.damaged) await measureOthers();
  }

  async function touch(): Promise<void> {
    const now = new Date();
    for (const { path } of files) await fs.utimes(path, now, now).catch(() => {});
    touchedAt = now.getTime();
    await measureOthers();
  }

  async function measureOthers(): Promise<void> {
    const own = new Set([...files].map(({ path }) => path));
    let bytes = 0;
    for (const name of await fs.readdir(directory)) {
      const path = join(directory, name);
      // One that has just been deleted has no size.
      if (name.includes(extension) && !own.has(path)) bytes += (await sizeOf(path)) ?? 0;
    }
    othersBytes = bytes;
  }

  async function* recover(): AsyncIterable<AuditEntry> {
    let names: string[];
    try {
      names = await fs.readdir(directory);
    } catch (error) {
      const { message } = asError(error);
      throw new UserError(`cannot read the spool ${directory}: ${message}`, { cause: error });
    }
    const own = [...files];
    for (const name of names.sort()) {
      const owner = ownerOf(name);
      if (!owner || !(await isAbandoned(name, owner))) continue;
      const file = await takeOver(name);
      if (file) yield* entriesOf(file);
    }
    for (const file of own) yield* entriesOf(file);
  }

  async function isAbandoned(name: string, owner: Owner): Promise<boolean> {
    if (owner.pid === 0) return true;
    if (owner.host === self.host) return !(await isAlive(owner));
    const touched = await fs.stat(join(directory, name)).then(
      ({ mtimeMs }) => mtimeMs,
      () => Infinity,
    );
    return Date.now() - touched > abandonedAfterMs;
  }

  /** Makes a file this process's own; undefined when another one was faster. */
  async function takeOver(name: string): Promise<SpoolFile | undefined> {
    const path = join(directory, nameOf(self, name));
    try {
      await fs.rename(join(directory, name), path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") onError(error);
      return undefined;
    }
    const now = new Date();
    await fs.utimes(path, now, now).catch(() => {});
    const bytes = (await sizeOf(path)) ?? 0;
    othersBytes = Math.max(0, othersBytes - bytes);
    const file: SpoolFile = {
      path,
      bytes,
      ids: new Set(),
      handle: undefined,
      complete: false,
      damaged: false,
    };
    files.add(file);
    return file;
  }

  /** Entries of a file that are not settled. */
  async function* entriesOf(file: SpoolFile): AsyncIterable<AuditEntry> {
    const entries: AuditEntry[] = [];
    let damaged = false;
    try {
      const text = await inTurn(async () => {
        return files.has(file) ? fs.readFile(file.path, "utf8") : "";
      });
      const lines = text.split("\n");
      // After the last line feed there is nothing, or a line that was cut off.
      lines.pop();
      for (const line of lines) {
        const entry = parseEntry(line);
        if (entry) entries.push(entry);
        else damaged = true;
      }
    } catch (error) {
      // Left where it is, for a process that can read it.
      if (!isKnown(file)) files.delete(file);
      onError(error);
      return;
    }
    if (!isKnown(file)) {
      for (const { id } of entries) file.ids.add(id);
      file.damaged = damaged;
      file.complete = true;
      await inTurn(() => removeIfSettled(file));
    }
    for (const entry of entries) {
      if (file.ids.has(entry.id)) yield entry;
    }
  }

  /** Whether the ids of a file are known: it was written by this process, or read. */
  function isKnown(file: SpoolFile): boolean {
    return file.complete || file === current;
  }

  return {
    append(entry, serialised = JSON.stringify(entry)) {
      if (isClosed) return Promise.resolve(refused("the spool is closed"));
      const line = Buffer.from(`${serialised}\n`);
      const bytes = othersBytes + ownBytes() + queuedBytes + line.length;
      if (bytes > maxBytes) {
        return Promise.resolve(refused(`the spool is full: ${maxBytes} bytes`));
      }
      queuedBytes += line.length;
      return new Promise((resolve) => {
        void enqueue({ append: { id: entry.id, line, resolve } });
      });
    },
    settled(ids) {
      return enqueue({
        async run() {
          for (const file of [...files]) {
            const before = file.ids.size;
            for (const id of ids) file.ids.delete(id);
            if (file.ids.size < before) await removeIfSettled(file);
          }
        },
      });
    },
    recover,
    stats: () => ({
      files: files.size,
      bytes: ownBytes(),
      entries: [...files].reduce((sum, { ids }) => sum + ids.size, 0),
    }),
    async close() {
      if (isClosed) return running;
      isClosed = true;
      clearInterval(touchTimer);
      await enqueue({
        async run() {
          clearTimeout(flushTimer);
          await seal();
          // Nobody's, so that they can be recovered while this process goes on.
          for (const { path } of files) {
            const name = nameOf({ ...self, pid: 0 }, path.slice(directory.length + 1));
            await fs.rename(path, join(directory, name)).catch((error) => onError(error));
          }
          files.clear();
        },
      });
    },
  };
}

const spooled: SpoolResult = { status: "spooled" };
const refused = (reason: string): SpoolResult => ({ status: "refused", reason });

function tellOnStderr({ message }: Error): void {
  const timestamp = new Date().toISOString();
  writeToStderr(
    jsonLine({
      timestamp,
      type: "audit_spool_failed",
      message: "[AUDIT] Spool failed",
      error: message,
    }),
  );
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

function parseEntry(line: string): AuditEntry | undefined {
  try {
    const entry: AuditEntry | null = JSON.parse(line);
    return typeof entry?.id === "string" ? entry : undefined;
  } catch {
    return undefined;
  }
}

/** Whose a file is. A pid alone may have become another process's. */
interface Owner {
  /** 0 when it is nobody's. */
  pid: number;
  /** When the process began, as the system counts; 0 where it does not say. */
  started: number;
  host: string;
}

const extension = ".ndjson";
const fileName = /^([0-9a-f-]{36})\.(\d+)\.(\d+)\.([^/]+)\.ndjson$/;

/** The name of a new file, or of one that changes hands. Names sort by the time they were made. */
function nameOf({ pid, started, host }: Owner, former?: string): string {
  const stem = fileName.exec(former ?? "")?.[1] ?? v7();
  return `${stem}.${pid}.${started}.${host}${extension}`;
}

function ownerOf(name: string): Owner | undefined {
  const [, , pid, started, host] = fileName.exec(name) ?? [];
  if (pid === undefined || started === undefined || host === undefined) return undefined;
  return { pid: Number(pid), started: Number(started), host };
}

async function thisProcess(): Promise<Owner> {
  const { pid } = process;
  return { pid, started: (await startOf(pid)) ?? 0, host: encodeURIComponent(hostname()) };
}

async function isAlive({ pid, started }: Owner): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // The process of another user is alive too.
    if ((error as NodeJS.ErrnoException).code !== "EPERM") return false;
  }
  const now = await startOf(pid);
  return now !== undefined && (started === 0 || now === 0 || now === started);
}

/**
 * When a process began, in ticks since the system did; 0 where there is no /proc. Undefined when it
 * has ended and its parent does not care to know.
 */
async function startOf(pid: number): Promise<number | undefined> {
  try {
    const stat = await nodeFs.readFile(`/proc/${pid}/stat`, "latin1");
    // The name of the program, in parentheses, may have blanks.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" ? undefined : Number(fields[19]) || 0;
  } catch {
    return 0;
  }
}
