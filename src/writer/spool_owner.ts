import { readFile } from "node:fs/promises";
import { hostname } from "node:os";
import { v7 } from "uuid";

/** Whose a file is. A pid alone may have become another process's. */
export interface Owner {
  /** 0 when it is nobody's. */
  pid: number;
  /** When the process began, as the system counts; 0 where it does not say. */
  started: number;
  host: string;
}

/** How the names of all files of a spool end, but for those that were set aside. */
export const extension = ".ndjson";
const fileName = /^([0-9a-f-]{36})\.(\d+)\.(\d+)\.([^/]+)\.ndjson$/;

/** The name of a new file, or of one that changes hands. Names sort by the time they were made. */
export function nameOf({ pid, started, host }: Owner, former?: string): string {
  const stem = fileName.exec(former ?? "")?.[1] ?? v7();
  return `${stem}.${pid}.${started}.${host}${extension}`;
}

/** Whose a file is by its name; undefined when it is none of a spool. */
export function ownerOf(name: string): Owner | undefined {
  const [, , pid, started, host] = fileName.exec(name) ?? [];
  if (pid === undefined || started === undefined || host === undefined) return undefined;
  return { pid: Number(pid), started: Number(started), host };
}

/** This process, as the owner of files. */
export async function thisProcess(): Promise<Owner> {
  const { pid } = process;
  return { pid, started: (await startOf(pid)) ?? 0, host: encodeURIComponent(hostname()) };
}

/** Whether a process of this host still runs. */
export async function isAlive({ pid, started }: Owner): Promise<boolean> {
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
    const stat = await readFile(`/proc/${pid}/stat`, "latin1");
    // The name of the program, in parentheses, may have blanks.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" ? undefined : Number(fields[19]) || 0;
  } catch {
    return 0;
  }
}
