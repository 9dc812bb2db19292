import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Cluster, startCluster } from "../../src/cluster/cluster.js";
import { migrate } from "../../src/database/migrate.js";
import { UserError } from "../../src/errors/user_error.js";
import { withClient } from "./database.js";
import { BIN_DIRECTORY, requirePostgres } from "./dump.js";
import { type Migration, SET_ROLE } from "./migrations.js";
import { isReplayable, readSteps } from "./sources.js";

/** Connection strings of a database on a temporary server. */
export interface ScratchDatabase {
  /** The database's owner: no superuser, with CREATEROLE, as in production. */
  readonly migratorUrl: string;
  /** May read every table, which pg_dump needs. */
  readonly superuserUrl: string;
}

/** Makes an empty database. */
export type CreateDatabase = () => Promise<ScratchDatabase>;

/**
 * Calls `use` with a temporary server, which is gone afterwards, whatever happens: when the process
 * is told to end, too.
 *
 * @throws UserError when the server cannot be started; whatever `use` throws.
 */
export async function withScratchServer<T>(
  use: (createDatabase: CreateDatabase) => Promise<T>,
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
      settings: { fsync: "off", full_page_writes: "off" },
    });
    return await use(databaseCreator(cluster.url));
  } finally {
    process.off("SIGINT", endProcess).off("SIGTERM", endProcess);
    await clear();
  }
}

function databaseCreator(url: Cluster["url"]): CreateDatabase {
  let made = 0;
  return async () => {
    made += 1;
    const database = `scratch_${made}`;
    await withClient(url(), async (client) => {
      if (made === 1) await client.query("create role migrator login nosuperuser createrole");
      await client.query(`create database ${database} owner migrator`);
    });
    return { migratorUrl: url({ user: "migrator", database }), superuserUrl: url({ database }) };
  };
}

/**
 * Applies migrations by node-pg-migrate, in steps: `then` is called after each of them.
 *
 * @throws UserError when a migration fails.
 */
export async function migrateBySteps<Step extends { migrations: readonly Migration[] }>(
  databaseUrl: string,
  steps: readonly Step[],
  then: (step: Step) => Promise<void> = async () => {},
): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "pgtrail-migrations-"));
  try {
    for (const step of steps) {
      for (const { name, text } of step.migrations) writeFileSync(join(directory, name), text);
      await migrate({ databaseUrl, directory });
      await then(step);
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/**
 * Applies every source that can be replayed once more, in one transaction, as the owner of all that
 * they make.
 *
 * @throws UserError when a source cannot be read or applied.
 */
export async function replaySources(root: string, databaseUrl: string): Promise<void> {
  await withClient(databaseUrl, async (client) => {
    await client.query(`begin; ${SET_ROLE}`);
    const sources = readSteps(root)
      .flatMap((step) => step.sources)
      .filter(isReplayable);
    for (const { path, text } of sources) {
      await client.query(text).catch((cause: Error) => {
        throw new UserError(`${path} cannot be applied once more: ${cause.message}`, { cause });
      });
    }
    await client.query("commit");
  });
}
