import { UserError } from "../errors/user_error.js";
import { isObject, parseJson } from "../verify/json.js";
import { asError } from "./as_error.js";
import { ABANDONED_AFTER_MS, type SpoolFile, type SpoolFiles } from "./spool_files.js";
import { isAlive, type Owner, ownerOf } from "./spool_owner.js";
import type { Queue } from "./spool_queue.js";
import type { AuditEntry } from "./types.js";

/** What entries are recovered with. */
export interface RecoveryParts {
  files: SpoolFiles;
  queue: Pick<Queue<never>, "inTurn">;
  onError: (error: unknown) => void;
}

/**
 * Gives the entries of processes that have ended, whose files it takes over, then those of files that
 * are this process's already. Raises UserError when the directory cannot be read.
 */
export async function* recoverEntries(parts: RecoveryParts): AsyncIterable<AuditEntry> {
  const { files } = parts;
  const names = await files.names().catch((error) => {
    const message = `cannot read the spool ${files.directory}: ${asError(error).message}`;
    throw new UserError(message, { cause: error });
  });
  const own = [...files.own];
  for (const name of names.sort()) {
    const owner = ownerOf(name);
    if (!owner || !(await isAbandoned(name, owner, files))) continue;
    const file = await files.takeOver(name);
    if (file) yield* entriesOf(file, parts);
  }
  for (const file of own) yield* entriesOf(file, parts);
}

async function isAbandoned(name: string, owner: Owner, files: SpoolFiles): Promise<boolean> {
  if (owner.pid === 0) return true;
  if (owner.host === files.self.host) return !(await isAlive(owner));
  const touched = await files.touched(name);
  return touched !== undefined && Date.now() - touched > ABANDONED_AFTER_MS;
}

/** Entries of a file that are not settled. */
async function* entriesOf(
  file: SpoolFile,
  { files, queue, onError }: RecoveryParts,
): AsyncIterable<AuditEntry> {
  const entries: AuditEntry[] = [];
  let damaged = false;
  try {
    const text = await queue.inTurn(async () => (files.own.has(file) ? files.read(file) : ""));
    // After the last line feed there is nothing, or a line that was cut off.
    for (const line of text.split("\n").slice(0, -1)) {
      const entry = parseEntry(line);
      if (entry) entries.push(entry);
      else damaged = true;
    }
  } catch (error) {
    // Left where it is, for a process that can read it.
    if (file.state.name === "taken") files.own.delete(file);
    onError(error);
    return;
  }
  if (file.state.name === "taken") {
    for (const { id } of entries) file.ids.add(id);
    file.state = { name: "complete", damaged };
    await queue.inTurn(() => files.removeIfSettled(file));
  }
  for (const entry of entries) {
    if (file.ids.has(entry.id)) yield entry;
  }
}

function parseEntry(line: string): AuditEntry | undefined {
  const entry = parseJson(line);
  return isObject(entry) && typeof entry.id === "string"
    ? (entry as unknown as AuditEntry)
    : undefined;
}
