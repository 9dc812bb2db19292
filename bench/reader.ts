import type pg from "pg";
import type { BenchDatabase } from "./server.js";
import { organisationId } from "./shapes.js";

const READER = "reader";

/** Makes the reader a coordinator of the first organisations. */
export async function makeReader(owner: pg.Client, organisations: number): Promise<void> {
  for (let n = 1; n <= organisations; n++) {
    await owner.query("insert into public.organisations (id, name) values ($1, $2)", [
      organisationId(n),
      `Organisation ${n}`,
    ]);
    await owner.query(
      "insert into public.organisation_members (organisation_id, user_id, role) values ($1, $2, 'coordinator')",
      [organisationId(n), READER],
    );
  }
}

/** Opens a connection of the reader, as role authenticated. */
export function connectReader(database: BenchDatabase): Promise<pg.Client> {
  return database.connect({ role: "authenticated", claims: { sub: READER } });
}
