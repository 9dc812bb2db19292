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
 * The output of pg_dump without what differs from run to run or says nothing: session settings,
 * versions, random \restrict keys and extensions, trailing blanks, all but single blank lines.
 */
export function normaliseDump(dump: string): string {
  const withoutExtensions = dump.replace(
    /^--\n-- Name: (?:[^\n]*; Type: EXTENSION|EXTENSION [^\n]*; Type: COMMENT);[^\n]*\n--\n\n[\s\S]*?(?=^--\n-- |(?![\s\S]))/gm,
    "",
  );
  const body = withoutExtensions
    .split("\n")
    .map((line) => line.trimEnd())
    .filter(
      (line) =>
        !/^(SET \w+ = .*;|SELECT pg_catalog\.set_config\(.*\);|\\(un)?restrict .*)$/.test(line),
    )
    .join("\n")
    .replace(/^--\n-- PostgreSQL database dump( complete)?\n--$/gm, "")
    .replace(/^-- Dumped (from|by) .*$/gm, "")
    .replace(/\n{3,}/g, "\n\n")
    .trim();
  return `${body}\n`;
}

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
  return normaliseDump(stdout);
}
