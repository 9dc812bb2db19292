import type { Client } from "pg";
import { connect } from "../../src/database/connection.js";

/**
 * Calls `use` with a connection of its own, closed whatever happens.
 *
 * @throws UserError when the server cannot be reached; whatever `use` throws.
 */
export async function withClient<T>(
  databaseUrl: string,
  use: (client: Client) => Promise<T>,
): Promise<T> {
  const client = await connect(databaseUrl);
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}
