import { asError } from "./as_error.js";
import type { SpoolFiles } from "./spool_files.js";
import type { SpoolOptions, SpoolResult } from "./spool_options.js";

/** A line that is to be appended. */
export interface Line {
  id: string;
  bytes: Buffer;
  settle(result: SpoolResult): void;
}

/** Makes what appends to the file that is open, and begins another one when it is large enough. */
export function createAppender(
  files: Pick<SpoolFiles, "create" | "seal" | "areStale">,
  fsync: SpoolOptions["fsync"],
  maxFileBytes: number,
) {
  let latest: Awaited<ReturnType<SpoolFiles["create"]>> | undefined;
  const openFile = () => (latest?.file.state.name === "open" ? latest : undefined);

  async function seal(): Promise<void> {
    if (latest) await files.seal(latest.file);
  }

  /** Appends lines to one file, all or none. */
  async function write(lines: readonly Line[]): Promise<void> {
    // Another host may take this process for dead, and its file for abandoned.
    if (files.areStale) await seal();
    latest = openFile() ?? (await files.create());
    const { file, handle } = latest;
    const bytes = Buffer.concat(lines.map((line) => line.bytes));
    try {
      await handle.appendFile(bytes);
      if (fsync === "always") await handle.datasync();
    } catch (error) {
      // Half a line must not be glued to the next one, nor what was refused be recovered.
      await handle.truncate(file.bytes).catch(() => {});
      throw error;
    }
    file.bytes += bytes.length;
    for (const { id } of lines) file.ids.add(id);
  }

  return {
    /** Appends lines and settles each. Never rejects. */
    async append(lines: readonly Line[]): Promise<void> {
      for (let from = 0, to = 0; from < lines.length; from = to) {
        let bytes = openFile()?.file.bytes ?? 0;
        do bytes += lines[to++]?.bytes.length ?? 0;
        while (to < lines.length && bytes < maxFileBytes);
        const some = lines.slice(from, to);
        const result = await write(some).then(
          (): SpoolResult => ({ status: "spooled" }),
          (error) => refused(`cannot write to the spool: ${asError(error).message}`),
        );
        for (const { settle } of some) settle(result);
        const isFull = (openFile()?.file.bytes ?? 0) >= maxFileBytes;
        if (result.status === "refused" || isFull) await seal();
      }
    },
    /** Flushes what was appended to the disk. */
    flush: async (): Promise<void> => openFile()?.handle.datasync(),
    /** Ends the file that is open, if there is one. */
    seal,
  };
}

/** That an entry was not taken, and why. */
export function refused(reason: string): SpoolResult {
  return { status: "refused", reason };
}
