import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import pg from "pg";
import { UserError } from "../errors/user_error.js";
import { connect } from "./connection.js";

export interface MigrateOptions {
  databaseUrl: string;
  /** Default: migrationsDirectory(). */
  directory?: string;
  /** Told one line for each migration, just before it runs. */
  log?: (line: string) => void;
}

/**
 * Applies the migrations that a database does not have yet, each in a transaction of its own, and
 * resolves with their names in order. A run waits for another that is under way, and then has
 * nothing left to do. The role needs CREATEROLE and CREATE on the database; superuser is not needed.
 *
 * Raises UserError when the database cannot be reached, when a migration fails (with its file and
 * line; those before it stay applied), and when the Supabase CLI manages them in this database.
 */
export async function migrate(options: MigrateOptions): Promise<{ applied: string[] }> {
  const directory = options.directory ?? migrationsDirectory();
  const files = await migrationFiles(directory);
  const client = await connect(options.databaseUrl);
  let current: string | undefined;
  const follow = (line: string) => {
    current = /^### MIGRATION (.+) \(UP\) ###$/.exec(line)?.[1] ?? current;
    if (line.startsWith("###")) options.log?.(`applying ${current}`);
  };
  try {
    await refuseOtherHistory(client, files);
    // It takes as long to load as all else, and most that import this file migrate nothing.
    const { runner } = await import("node-pg-migrate");
    const applied = await runner({
      dbClient: client,
      dir: directory,
      ignorePattern: "(?!.*\\.sql$).*",
      direction: "up",
      migrationsSchema: "pgtrail",
      createMigrationsSchema: true,
      migrationsTable: "pgmigrations",
      checkOrder: true,
      singleTransaction: false,
      advisoryLockMode: "wait",
      logger: { info: follow, warn: () => {}, error: () => {} },
    });
    return { applied: applied.map((migration) => migration.name) };
  } catch (error) {
    throw error instanceof UserError ? error : await migrationError(error, directory, current);
  } finally {
    await client.end().catch(() => {});
  }
}

/** The package's migrations/, which lies beside dist/ and src/. */
export function migrationsDirectory(): string {
  return join(import.meta.dirname, "..", "..", "migrations");
}

async function migrationFiles(directory: string): Promise<string[]> {
  try {
    return (await readdir(directory)).filter((name) => name.endsWith(".sql")).sort();
  } catch (cause) {
    throw new UserError(`cannot read the migrations: ${(cause as Error).message}`, { cause });
  }
}

/** Two histories of one database would drift apart, and the second to come would apply it all again. */
async function refuseOtherHistory(client: pg.Client, files: string[]): Promise<void> {
  const history = "supabase_migrations.schema_migrations";
  const { rows: found } = await client.query("select to_regclass($1) is not null as exists", [
    history,
  ]);
  if (!found[0].exists) return;
  const versions = files.map((name) => name.split("_", 1)[0]);
  const { rows } = await client.query(
    `select version from ${history} where version = any ($1) order by version`,
    [versions],
  );
  if (rows.length === 0) return;
  throw new UserError(
    `the Supabase CLI has applied pgtrail's migrations to this database (${rows.length} of ${files.length}, the first is ${rows[0].version})`,
    {
      hint: "Go on with `supabase migration up` or `supabase db push`; one database has one history.",
    },
  );
}

/** Why a migration failed, and where in its file. */
async function migrationError(
  error: unknown,
  directory: string,
  migration?: string,
): Promise<UserError> {
  const { message } = error as Error;
  if (!(error instanceof pg.DatabaseError)) {
    const hint = /is preceding already run/.test(message)
      ? "Migrations are applied in the order of their names: rename the new one so that it comes last."
      : undefined;
    return new UserError(`cannot migrate: ${message}`, { hint, cause: error });
  }
  const place = migration && (await locate(join(directory, `${migration}.sql`), error));
  const where = place ? `${place}: ` : "";
  const detail = error.detail ? `\nDETAIL: ${error.detail}` : "";
  return new UserError(`${where}${message} (SQLSTATE ${error.code})${detail}`, {
    hint: error.hint,
    cause: error,
  });
}

/** File and line: a migration is sent as one text, so the error's position is one in the file. */
async function locate(file: string, { position }: pg.DatabaseError): Promise<string> {
  if (position === undefined) return file;
  const text = await readFile(file, "utf8");
  return `${file}:${text.slice(0, Number(position) - 1).split("\n").length}`;
}
