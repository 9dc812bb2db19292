import type * as nodeFs from "node:fs/promises";

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
