import type { AuditEntry, Transport } from "../../../src/writer/types.js";

/** A database that fails on demand. */
export interface FakeDatabase {
  transport: Transport;
  /** What it does: takes entries, refuses connections, hangs, or takes them and denies it. */
  mode: "ok" | "down" | "hang" | "unknown";
  /** Ids in the order in which they were inserted. */
  readonly ids: string[];
  /** How many entries each call had. */
  readonly calls: number[];
  /** Lets what hangs go on, all or the oldest few: as a success, or as a failure. */
  release(success: boolean, few?: number): void;
}

/** An error as node-postgres has it. */
export function pgError(code: string, message = `error ${code}`, more: object = {}): Error {
  return Object.assign(new Error(message), { code, severity: "ERROR", ...more });
}

/** A fake that takes every entry but those whose action is `poison`, all or none. */
export function createFakeDatabase(): FakeDatabase {
  const rows = new Set<string>();
  const hanging: ((success: boolean) => void)[] = [];

  function insert(entries: readonly AuditEntry[]): void {
    if (entries.some(({ action }) => action === "poison")) throw pgError("22P02", "poison");
    for (const { id } of entries) {
      if (!rows.has(id)) fake.ids.push(id);
      rows.add(id);
    }
  }

  const fake: FakeDatabase = {
    mode: "ok",
    ids: [],
    calls: [],
    async transport(entries) {
      fake.calls.push(entries.length);
      switch (fake.mode) {
        case "down":
          throw pgError("ECONNREFUSED");
        case "unknown":
          insert(entries);
          throw new Error("Connection terminated unexpectedly");
        case "hang":
          return new Promise((resolve, reject) => {
            hanging.push((success) => {
              if (!success) return reject(pgError("57P01"));
              try {
                resolve(insert(entries));
              } catch (error) {
                reject(error);
              }
            });
          });
        default:
          insert(entries);
      }
    },
    release(success, few = hanging.length) {
      for (const each of hanging.splice(0, few)) each(success);
    },
  };
  return fake;
}
