import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../../src/errors/user_error.js";

/** The version on which everything is generated: two versions differ in how they word a schema. */
const VERSION = 15;

/** Where Debian has the programs of that version. */
export const BIN_DIRECTORY = `/usr/lib/postgresql/${VERSION}/bin`;

/** What stands in the way of a scratch server on this machine; undefined when nothing does. */
export function missingPostgres(): string | undefined {
  return ["pg_dump", "initdb", "pg_ctl"].every((name) => existsSync(join(BIN_DIRECTORY, name)))
    ? undefined
    : `no Debian PostgreSQL ${VERSION} in ${BIN_DIRECTORY}`;
}

/**
 * Stops where there can be no scratch server.
 *
 * @throws UserError when this machine lacks the programs.
 */
export function requirePostgres(): void {
  const missing = missingPostgres();
  if (missing === undefined) return;
  throw new UserError(missing, { hint: "Install postgresql-15, or leave it to CI." });
}

// What is no part of the contract: the runners' histories, helpers of tests, and partitions, which
// come with time.
const EXCLUDED = [
  "--exclude-table=pgtrail.pgmigrations",
  "--exclude-table=pgtrail.pgmigrations_id_seq",
  "--exclude-table=pgtrail_partitions.*",
  "--exclude-schema=supabase_migrations",
];

/**
 * Everything that a database on a scratch server consists of, with owners and privileges.
 *
 * @throws UserError when pg_dump fails.
 */
export function dumpSchema(databaseUrl: string): string {
  const { status, stdout, stderr } = spawnSync(
    join(BIN_DIRECTORY, "pg_dump"),
    ["--schema-only", "--encoding=UTF8", ...EXCLUDED, `--dbname=${databaseUrl}`],
    { encoding: "utf8", maxBuffer: 256 * 1024 * 1024 },
  );
  if (status !== 0) throw new UserError(`pg_dump failed: ${stderr.trim()}`);
  return withoutVersions(stdout);
}

/** A dump without what differs from run to run or with the minor version: random keys, versions. */
export function withoutVersions(dump: string): string {
  return dump.replace(/^(\\(un)?restrict|-- Dumped (from|by)) .*\n/gm, "");
}
