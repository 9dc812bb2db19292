import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Cluster, startCluster } from "../../src/cluster/cluster.js";
import { migrate } from "../../src/database/migrate.js";
import { UserError } from "../../src/errors/user_error.js";
import { withClient } from "./database.js";
import { BIN_DIRECTORY, dumpSchema, requirePostgres } from "./dump.js";
import { SET_ROLE } from "./migrations.js";
import { readSources } from "./sources.js";

/** Connection strings of a database on a temporary server. */
export interface ScratchDatabase {
  /** The database's owner: no superuser, with CREATEROLE, as in production. */
  readonly migratorUrl: string;
  /** May read every table, which pg_dump needs. */
  readonly superuserUrl: string;
}

/**
 * Calls `use` with an empty database on a temporary server, which is gone afterwards, whatever
 * happens: when the process is told to end, too.
 *
 * @throws UserError when the server cannot be started; whatever `use` throws.
 */
export async function withScratchDatabase<T>(
  use: (database: ScratchDatabase) => Promise<T>,
): Promise<T> {
  requirePostgres();
  const directory = mkdtempSync(join(tmpdir(), "pgtrail-scratch-"));
  let cluster: Cluster | undefined;
  const clear = async () => {
    await cluster?.stop("immediate");
    rmSync(directory, { recursive: true, force: true });
  };
  const endProcess = () => clear().finally(() => process.exit(1));
  process.on("SIGINT", endProcess).on("SIGTERM", endProcess);
  try {
    cluster = await startCluster({
      directory,
      binDirectory: BIN_DIRECTORY,
      authentication: "trust",
      port: 0,
      settings: { fsync: "off" },
    });
    await withClient(cluster.url(), async (client) => {
      await client.query("create role migrator login nosuperuser createrole createdb");
      await client.query("create database pgtrail owner migrator");
    });
    return await use({
      migratorUrl: cluster.url({ user: "migrator", database: "pgtrail" }),
      superuserUrl: cluster.url({ database: "pgtrail" }),
    });
  } finally {
    process.off("SIGINT", endProcess).off("SIGTERM", endProcess);
    await clear();
  }
}

/**
 * Migrates an empty database to the newest version.
 *
 * @throws UserError when the database is not empty or a migration fails.
 */
export async function migrateEmpty(root: string, databaseUrl: string): Promise<void> {
  const { rows } = await withClient(databaseUrl, (client) =>
    client.query<{ relation: string }>(`
      select oid::regclass::text as relation
      from pg_class
      where relnamespace <> all ('{pg_catalog,information_schema,pg_toast}'::regnamespace[])
      limit 1`),
  );
  if (rows[0]) {
    throw new UserError(`the database is not empty: it has ${rows[0].relation}`, {
      hint: "Give a new database, or leave out --database-url.",
    });
  }
  await migrate({ databaseUrl, directory: join(root, "migrations") });
}

/**
 * Applies every source once more, in one transaction, as the owner of all that they make.
 *
 * @throws UserError when a source cannot be read or applied.
 */
export async function replaySources(root: string, databaseUrl: string): Promise<void> {
  await withClient(databaseUrl, async (client) => {
    await client.query(`begin; ${SET_ROLE}`);
    for (const { path, text } of readSources(root)) {
      await client.query(text).catch((cause: Error) => {
        throw new UserError(`${path} cannot be applied once more: ${cause.message}`, { cause });
      });
    }
    await client.query("commit");
  });
}

/**
 * What schema.sql must hold: the dump of an empty database that all migrations were applied to.
 *
 * @param databaseUrl an empty database; a temporary one when omitted
 * @throws UserError when a migration fails or the dump cannot be made.
 */
export async function dumpMigrated(root: string, databaseUrl?: string): Promise<string> {
  if (databaseUrl === undefined) {
    return withScratchDatabase(async ({ migratorUrl, superuserUrl }) => {
      await migrateEmpty(root, migratorUrl);
      return dumpSchema(superuserUrl);
    });
  }
  await migrateEmpty(root, databaseUrl);
  return dumpSchema(databaseUrl);
}
