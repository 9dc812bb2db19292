import pg from "pg";
import { afterAll, beforeAll, inject } from "vitest";
import type { TestCluster } from "./cluster.js";
import { collectCoverage } from "./coverage.js";
import { type Persona, type PersonaName, personas } from "./personas.js";
import { explain, type Plan } from "./plans.js";
import {
  createDatabase,
  databaseUrl,
  dropDatabase,
  type LoginRole,
  uniqueDatabaseName,
  withClient,
} from "./template.js";

/** How a persona's transaction is opened and closed. */
export interface TransactionOptions {
  /** Opens it `read only`, as PostgREST does for GET and for stable functions. */
  readOnly?: boolean;
  /** Rolls back at the end instead of committing. */
  rollback?: boolean;
}

/** A migrated database of one test file. Usable in tests and hooks, not while files are collected. */
export interface TestDatabase {
  /** Name of the database. */
  readonly name: string;
  /** Connection URL as a login role, or as the administrator without one. */
  url(role?: LoginRole): string;
  /** The administrator of the server: superuser, unless `DATABASE_URL` names a lesser role. */
  readonly superuser: pg.Pool;
  /** The role that migrates and owns the database. */
  readonly migrator: pg.Pool;
  /**
   * Runs `work` in one transaction exactly as PostgREST runs a request: connected as
   * `authenticator`, with role and claims set for the transaction. Commits when `work` succeeds
   * and rolls back when it throws; a `work` that swallowed an SQL error ends in a rollback too.
   */
  as<T>(
    persona: PersonaName | Persona,
    work: (client: pg.PoolClient) => Promise<T>,
    options?: TransactionOptions,
  ): Promise<T>;
  /**
   * Plans of all statements that `work` runs as a persona, those inside functions included, in
   * the order in which they ended. Needs a superuser; the transaction is rolled back.
   */
  plansAs(
    persona: PersonaName | Persona,
    work: (client: pg.Client) => Promise<unknown>,
  ): Promise<Plan[]>;
}

/**
 * Gives the calling test file a database of its own, a copy of the migrated template, and drops it
 * at the end.
 *
 * @param cluster where, when not on the server of the suite
 * @param options.profiled false where triggers run dynamic SQL over transition tables: the profiler
 *   of plpgsql_check, which measures coverage, takes such tables for missing
 */
export function useDatabase(
  cluster?: TestCluster,
  { profiled = true }: { profiled?: boolean } = {},
): TestDatabase {
  const adminUrl = () => cluster?.cluster.url() ?? inject("server").url;
  const name = uniqueDatabaseName();
  const pools = new Map<LoginRole | undefined, pg.Pool>();
  const url = (role?: LoginRole) => databaseUrl(adminUrl(), name, role);

  function pool(role?: LoginRole): pg.Pool {
    let found = pools.get(role);
    if (!found) {
      found = new pg.Pool({ connectionString: url(role), max: 20 });
      // An idle connection may be ended by a test; the next query tells, nobody else has to.
      found.on("error", () => {});
      pools.set(role, found);
    }
    return found;
  }

  async function as<T>(
    persona: PersonaName | Persona,
    work: (client: pg.PoolClient) => Promise<T>,
    options: TransactionOptions = {},
  ): Promise<T> {
    const client = await pool("authenticator").connect();
    try {
      await client.query(options.readOnly ? "begin read only" : "begin");
      await become(client, persona);
      const result = await work(client);
      await client.query(options.rollback ? "rollback" : "commit");
      client.release();
      return result;
    } catch (error) {
      const lost = await client.query("rollback").then(
        () => false,
        () => true,
      );
      client.release(lost);
      throw error;
    }
  }

  beforeAll(async () => {
    const template = (await cluster?.template()) ?? inject("server").template;
    await createDatabase(adminUrl(), name, template);
    if (process.env.PGTRAIL_SQL_COVERAGE && !profiled) {
      await withClient(url(), (client) =>
        client.query(
          `alter database ${pg.escapeIdentifier(name)} set plpgsql_check.profiler = off`,
        ),
      );
    }
  });

  afterAll(async () => {
    await Promise.all([...pools.values()].map((each) => each.end()));
    const { PGTRAIL_SQL_COVERAGE: coverage } = process.env;
    if (coverage) await collectCoverage(url(), coverage);
    // A cluster of the file's own goes away as a whole.
    if (!cluster) await dropDatabase(adminUrl(), name);
  });

  return {
    name,
    url,
    as,
    get superuser() {
      return pool();
    },
    get migrator() {
      return pool("migrator");
    },
    plansAs: (persona, work) => explain(url(), (client) => become(client, persona), work),
  };
}

/** Makes the open transaction of `client` a persona's. */
async function become(client: pg.ClientBase, persona: PersonaName | Persona): Promise<void> {
  const { role, claims } = typeof persona === "string" ? personas[persona] : persona;
  await client.query(
    "select set_config('role', $1, true), set_config('request.jwt.claims', $2, true)",
    [role, JSON.stringify(claims)],
  );
}
