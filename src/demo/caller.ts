import type pg from "pg";
import type { Person } from "./platform.js";

/** Whom a request comes from, as PostgREST sees it. */
export interface Caller {
  role: "authenticated" | "service_role" | "pgtrail_auditor";
  /** Subject of the token. */
  sub?: string;
}

export function callerOf(person: Person): Caller {
  return { role: "authenticated", sub: person.id };
}

/**
 * Runs work in one transaction as PostgREST runs a request: connected as authenticator, with the
 * role and the claims of a token set for the transaction. Rolls back when work rejects.
 */
export async function actAs<T>(
  client: pg.ClientBase,
  caller: Caller,
  work: () => Promise<T>,
): Promise<T> {
  await client.query("begin");
  try {
    await client.query(
      "select set_config('role', $1, true), set_config('request.jwt.claims', $2, true)",
      [caller.role, JSON.stringify(caller)],
    );
    const result = await work();
    await client.query("commit");
    return result;
  } catch (error) {
    await client.query("rollback").catch(() => {});
    throw error;
  }
}
