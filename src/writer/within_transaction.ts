import { classify } from "./classify.js";
import { insertEntry, type PgClient } from "./transports.js";
import type { AuditEntry, Failure } from "./types.js";

/** Why an entry was not written within a transaction. */
export interface Refusal {
  failure: Failure;
  /** Whether the transaction is lost as well, so that what the event tells of never happened. */
  lost: boolean;
}

/**
 * Inserts an entry within the caller's transaction, behind a savepoint. Resolves with why it was
 * not, undefined when it was; the transaction goes on either way, unless it is lost. Never rejects.
 */
export async function insertWithin(
  client: PgClient,
  entry: AuditEntry,
): Promise<Refusal | undefined> {
  try {
    await client.query("savepoint pgtrail_event", []);
    await insertEntry(client, entry);
    await client.query("release savepoint pgtrail_event", []);
    return undefined;
  } catch (error) {
    const classified = classify(error);
    // The statement leaves out ids that are there, so another key of the table is meant.
    const failure: Failure =
      classified === "duplicate"
        ? { kind: "permanent", code: "23505", message: "duplicate key" }
        : classified;
    // Without a transaction there is nothing to lose: the event stands by itself.
    if (failure.code === "25P01" || (await rollBack(client))) return { failure, lost: false };
    const message = `the transaction is lost: ${failure.message}`;
    return { failure: { ...failure, message }, lost: true };
  }
}

/** Brings a transaction back to where it was before the event. False when it is beyond that. */
async function rollBack(client: PgClient): Promise<boolean> {
  try {
    await client.query("rollback to savepoint pgtrail_event", []);
    await client.query("release savepoint pgtrail_event", []);
    return true;
  } catch {
    return false;
  }
}
