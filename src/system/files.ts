import { randomUUID } from "node:crypto";
import { type FileHandle, mkdir, open, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { UserError } from "../errors/user_error.js";

/** The bytes of a file. Raises UserError when it cannot be read. */
export async function readGiven(path: string): Promise<Buffer> {
  const contents = await readIfThere(path);
  if (contents) return contents;
  throw new UserError(`there is no file ${path}`);
}

/** The bytes of a file, undefined when there is none. Raises UserError when it cannot be read. */
export async function readIfThere(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw new UserError(`cannot read ${path}: ${message}`, { cause: error });
  }
}

/**
 * Puts a file in place as a whole, in a directory that is made when missing: whoever reads it sees
 * the old or the new contents. With `durable` that holds after a crash of the machine too.
 *
 * Raises UserError when it cannot be written, and what giving the contents raises; the old contents
 * stay then.
 */
export async function replaceFile(
  path: string,
  contents: string | Uint8Array | AsyncIterable<Uint8Array>,
  { durable }: { durable: boolean },
): Promise<void> {
  const directory = dirname(path);
  const temporary = join(directory, `.${randomUUID()}.tmp`);
  try {
    await mkdir(directory, { recursive: true });
    await withHandle(temporary, "wx", async (file) => {
      await writeFile(file, contents);
      if (durable) await file.sync();
    });
    await rename(temporary, path);
    if (durable) await withHandle(directory, "r", (handle) => handle.sync());
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    const { message, syscall } = error as NodeJS.ErrnoException;
    // Not of the file, but of what was to be written.
    if (syscall === undefined) throw error;
    throw new UserError(`cannot write ${path}: ${message}`, { cause: error });
  }
}

/** Moves a file within its directory, durably, in the place of what is there. Raises UserError. */
export async function moveFile(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
    await withHandle(dirname(to), "r", (handle) => handle.sync());
  } catch (error) {
    const { message } = error as NodeJS.ErrnoException;
    throw new UserError(`cannot write ${to}: ${message}`, { cause: error });
  }
}

async function withHandle(
  path: string,
  flags: string,
  work: (handle: FileHandle) => Promise<void>,
): Promise<void> {
  const handle = await open(path, flags);
  try {
    await work(handle);
  } finally {
    await handle.close();
  }
}
