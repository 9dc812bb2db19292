import type pg from "pg";
import { asUserError } from "../database/as_user_error.js";
import { connect } from "../database/connection.js";

/**
 * Opens a connection for `work` with the log of a database, and ends it after. What the database
 * refuses is raised as UserError, in its own words.
 */
export async function withLog<T>(
  databaseUrl: string,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = await connect(databaseUrl);
  try {
    return await work(client);
  } catch (error) {
    throw asUserError(error);
  } finally {
    await client.end().catch(() => {});
  }
}

/** Leaves of the log. */
export async function logSize(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ body: string }>("select pgtrail.checkpoint() as body");
  return Number(rows[0]?.body.split("\n")[1]);
}
