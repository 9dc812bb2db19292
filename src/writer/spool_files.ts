import type { FileHandle } from "node:fs/promises";
import { basename, join } from "node:path";
import type { SpoolFileSystem, SpoolOptions } from "./spool_options.js";
import { extension, nameOf, type Owner } from "./spool_owner.js";

/** How long a file of another host must have been left alone to be taken over. */
export const ABANDONED_AFTER_MS = 60_000;

/**
 * What may be done with a file of this process:
 *
 *     created ──────────> open ──── sealed ──┬──> complete ── all entries settled ──> deleted,
 *     of another one ──> taken ──── read ────┘                        or set aside as *.damaged
 *                          └─────── cannot be read ──> left to another process
 */
export type FileState =
  /** Appended to. */
  | { readonly name: "open"; readonly handle: FileHandle }
  /** Taken over from a process that has ended. What it has is not known yet. */
  | { readonly name: "taken" }
  /** All of its entries are known; `damaged` if not all of it could be read. */
  | { readonly name: "complete"; readonly damaged: boolean };

/** A file of this process. */
export interface SpoolFile {
  readonly path: string;
  bytes: number;
  /** Ids of its entries that are not settled, as far as they are known. */
  readonly ids: Set<string>;
  state: FileState;
}

/** What files are kept with. */
export interface SpoolFilesParts {
  directory: string;
  self: Owner;
  fs: SpoolFileSystem;
  fsync: SpoolOptions["fsync"];
  onError: (error: unknown) => void;
}

/** The files of this process, and how much others have in the directory. */
export type SpoolFiles = ReturnType<typeof createSpoolFiles>;

/** Makes an empty collection of files. Its calls must not overlap. */
export function createSpoolFiles({ directory, self, fs, fsync, onError }: SpoolFilesParts) {
  const own = new Set<SpoolFile>();
  /** Bytes of files that are not of this process, when last looked at. */
  let othersBytes = 0;
  let touchedAt = Date.now();

  function add(path: string, bytes: number, state: FileState): SpoolFile {
    const file: SpoolFile = { path, bytes, ids: new Set(), state };
    own.add(file);
    return file;
  }

  /** Undefined when there is no such file, or no longer. */
  const statOf = (path: string) => fs.stat(path).catch(() => undefined);

  async function create() {
    const path = join(directory, nameOf(self));
    const handle = await fs.open(path, "ax", 0o600);
    const file = add(path, 0, { name: "open", handle });
    touchedAt = Date.now();
    try {
      if (fsync !== "never") await flushNames();
    } catch (error) {
      await seal(file);
      throw error;
    }
    return { file, handle };
  }

  /** So that names are on the disk too, where the system can. */
  async function flushNames(): Promise<void> {
    const handle = await fs.open(directory, "r");
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  }

  /** Ends a file that is open: what comes next goes into another. */
  async function seal(file: SpoolFile): Promise<void> {
    if (file.state.name !== "open") return;
    const { handle } = file.state;
    file.state = { name: "complete", damaged: false };
    if (fsync !== "never") await handle.datasync().catch(onError);
    await handle.close().catch(onError);
    await removeIfSettled(file);
  }

  async function removeIfSettled(file: SpoolFile): Promise<void> {
    const { path, ids, state } = file;
    if (ids.size > 0 || state.name === "taken") return;
    if (state.name === "open") return seal(file);
    try {
      if (state.damaged) await fs.rename(path, `${path}.damaged`);
      else await fs.unlink(path);
    } catch (error) {
      // Its entries are sent again by whoever recovers it, under the same ids.
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") onError(error);
    }
    own.delete(file);
    if (state.damaged) await measureOthers();
  }

  async function measureOthers(): Promise<void> {
    const ownPaths = new Set([...own].map(({ path }) => path));
    let bytes = 0;
    for (const name of await fs.readdir(directory)) {
      const path = join(directory, name);
      if (!name.includes(extension) || ownPaths.has(path)) continue;
      bytes += (await statOf(path))?.size ?? 0;
    }
    othersBytes = bytes;
  }

  return {
    directory,
    self,
    own,
    get ownBytes() {
      return [...own].reduce((sum, { bytes }) => sum + bytes, 0);
    },
    get othersBytes() {
      return othersBytes;
    },
    /** Whether another host may soon take the files for abandoned. */
    get areStale() {
      return Date.now() - touchedAt > ABANDONED_AFTER_MS / 2;
    },
    /** Makes a file that is open, by a handle. */
    create,
    seal,
    removeIfSettled,
    measureOthers,
    /** Names of all files of the directory. */
    names: () => fs.readdir(directory),
    read: ({ path }: SpoolFile) => fs.readFile(path, "utf8"),
    /** When a file of the directory was touched last; undefined when it is gone. */
    touched: async (name: string) => (await statOf(join(directory, name)))?.mtimeMs,
    /** Shows that this process is alive to hosts that cannot see it otherwise. */
    async touch(): Promise<void> {
      const now = new Date();
      for (const { path } of own) await fs.utimes(path, now, now).catch(() => {});
      touchedAt = now.getTime();
      await measureOthers();
    },
    /** Makes a file this process's own; undefined when another one was faster. */
    async takeOver(name: string): Promise<SpoolFile | undefined> {
      const path = join(directory, nameOf(self, name));
      try {
        await fs.rename(join(directory, name), path);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ENOENT") onError(error);
        return undefined;
      }
      const now = new Date();
      await fs.utimes(path, now, now).catch(() => {});
      const bytes = (await statOf(path))?.size ?? 0;
      othersBytes = Math.max(0, othersBytes - bytes);
      return add(path, bytes, { name: "taken" });
    },
    async settle(ids: readonly string[]): Promise<void> {
      for (const file of [...own]) {
        const before = file.ids.size;
        for (const id of ids) file.ids.delete(id);
        if (file.ids.size < before) await removeIfSettled(file);
      }
    },
    /** Makes the files nobody's, so that they can be recovered while this process goes on. */
    async release(): Promise<void> {
      for (const { path } of own) {
        const name = nameOf({ ...self, pid: 0 }, basename(path));
        await fs.rename(path, join(directory, name)).catch(onError);
      }
      own.clear();
    },
  };
}
