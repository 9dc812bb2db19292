import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../../src/errors/user_error.js";
import { dumpSchema, missingPostgres } from "./dump.js";
import { projectRoot } from "./files.js";
import { historyProblems } from "./history.js";
import { formatFinding, lintProject } from "./lint.js";
import { readMigrations } from "./migrations.js";
import { sourceProblems } from "./replay.js";
import { migrateEmpty, replaySources, withScratchDatabase } from "./scratch.js";

/** What a gate found. */
export interface GateResult {
  readonly gate: string;
  readonly status: "ok" | "FAILED" | "skipped";
  /** What it holds to be true, or why it was skipped. */
  readonly summary: string;
  /** One line each; empty unless the gate failed. */
  readonly problems: readonly string[];
  /** What to do, when it failed. */
  readonly remedy: string;
}

interface Gate {
  readonly name: string;
  readonly summary: string;
  readonly remedy: string;
  /** The problems, one line each. A UserError that it throws is one too, with its own remedy. */
  readonly problems: () => string[] | Promise<string[]>;
}

async function pass({ name: gate, summary, remedy, problems }: Gate): Promise<GateResult> {
  try {
    const found = await problems();
    return { gate, status: found.length === 0 ? "ok" : "FAILED", summary, problems: found, remedy };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const { message, hint = remedy } = error;
    return { gate, status: "FAILED", summary, problems: [message], remedy: hint };
  }
}

/** The gates that need no database, fast ones first. */
function textGates(root: string, landedIn: string): Gate[] {
  return [
    {
      name: "text",
      summary: "migrations/ and sql/ keep the text rules",
      remedy: "Change the lines above.",
      problems: () => lintProject(root).map(formatFinding),
    },
    {
      name: "sources",
      summary: "every source equals its last copy in a migration",
      remedy:
        "Run `npm run db:build -- <slug>`; drop what a removed source made in a migration of its own.",
      problems: () => sourceProblems(root),
    },
    {
      name: "history",
      summary: "landed migrations are unchanged, all are listed and copied",
      remedy: "Restore landed files with git; for new ones run `npm run db:build -- --sync`.",
      problems: () => historyProblems(root, landedIn),
    },
    {
      name: "squawk",
      summary: "squawk finds nothing in the hand-written migrations",
      remedy: "Change the migration, or exclude the rule in .squawk.toml with a reason.",
      problems: () => squawkProblems(root),
    },
  ];
}

function squawkProblems(root: string): string[] {
  const files = readMigrations(root)
    .filter(({ replaySlug }) => replaySlug === undefined)
    .map(({ name }) => `migrations/${name}`);
  if (files.length === 0) return [];
  const { status, stdout, stderr, error } = spawnSync(
    process.execPath,
    [
      join(projectRoot, "node_modules/squawk-cli/js/bin/squawk"),
      `--config=${join(projectRoot, ".squawk.toml")}`,
      "--reporter=gcc",
      ...files,
    ],
    { cwd: root, encoding: "utf8" },
  );
  if (error) throw error;
  if (status === 0) return [];
  return `${stdout}${stderr}`.trim().split("\n");
}

/** The first line in which two texts differ, in words; empty when they are the same. */
export function firstDifference(expected: string, found: string, of: string): string[] {
  if (expected === found) return [];
  const [expectedLines, foundLines] = [expected.split("\n"), found.split("\n")];
  const index = expectedLines.findIndex((line, at) => line !== foundLines[at]);
  const at = index === -1 ? expectedLines.length : index;
  return [
    `${of}:${at + 1}: expected ${expectedLines[at] ?? "the end"}`,
    `${of}:${at + 1}: found    ${foundLines[at] ?? "the end"}`,
  ];
}

/** The gates that need a database: the first one leaves it migrated for the second. */
function catalogGates(root: string, migratorUrl: string, superuserUrl: string): Gate[] {
  let migrated: string | undefined;
  return [
    {
      name: "catalog",
      summary: "an empty database, migrated, dumps to schema.sql",
      remedy: "Run `npm run db:dump` and review what changed in schema.sql.",
      problems: async () => {
        await migrateEmpty(root, migratorUrl);
        migrated = await dumpSchema(superuserUrl);
        const schema = join(root, "schema.sql");
        if (!existsSync(schema)) return ["schema.sql is missing"];
        return firstDifference(migrated, readFileSync(schema, "utf8"), "schema.sql");
      },
    },
    {
      name: "replay",
      summary: "applying all of sql/ once more changes nothing",
      remedy: "Make the source replayable: create or replace, drop policy if exists and the like.",
      problems: async () => {
        if (migrated === undefined) {
          throw new UserError("the database could not be migrated", {
            hint: "Repair what the catalog gate names first.",
          });
        }
        await replaySources(root, migratorUrl);
        return firstDifference(migrated, await dumpSchema(superuserUrl), "replayed schema");
      },
    },
  ];
}

/** Which gates to pass. */
export interface CheckOptions {
  /** Only the gates that need no database. */
  readonly textOnly?: boolean;
  /** The commit whose migrations count as landed; HEAD unless told otherwise. */
  readonly landedIn?: string;
}

/** Passes the gates one after the other, fast ones first, and yields each result when it is there. */
export async function* check(root: string, options: CheckOptions = {}): AsyncGenerator<GateResult> {
  for (const gate of textGates(root, options.landedIn ?? "HEAD")) yield await pass(gate);
  if (options.textOnly) return;

  const missing = missingPostgres();
  if (missing !== undefined) {
    const summary = `${missing}: left to CI`;
    yield { gate: "catalog, replay", status: "skipped", summary, problems: [], remedy: "" };
    return;
  }
  yield* await withScratchDatabase(async ({ migratorUrl, superuserUrl }) => {
    const results: GateResult[] = [];
    for (const gate of catalogGates(root, migratorUrl, superuserUrl))
      results.push(await pass(gate));
    return results;
  });
}
