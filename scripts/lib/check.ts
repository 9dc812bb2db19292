import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../../src/errors/user_error.js";
import { withClient } from "./database.js";
import { dumpSchema, missingPostgres } from "./dump.js";
import { projectRoot, sqlFiles } from "./files.js";
import { generateFiles } from "./generate.js";
import { formatFinding, lintProject } from "./lint.js";
import { migrationProblems, readMigrations } from "./migrations.js";
import {
  type CreateDatabase,
  migrateBySteps,
  replaySources,
  type ScratchDatabase,
  withScratchServer,
} from "./scratch.js";
import { pushMigrations } from "./supabase.js";

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
function textGates(root: string): Gate[] {
  return [
    {
      name: "text",
      summary: "sql/ keeps the text rules",
      remedy: "Change the lines above.",
      problems: () => lintProject(root).map(formatFinding),
    },
    {
      name: "build",
      summary: "migrations/ is what sql/ makes, and what was released is as it was",
      remedy: "Run `npm run db:build`.",
      problems: () => migrationProblems(root),
    },
    {
      name: "squawk",
      summary: "squawk finds nothing in sql/tables, sql/types and sql/changes",
      remedy: "Change the statement, or exclude the rule in .squawk.toml with a reason.",
      problems: () => squawkProblems(root),
    },
  ];
}

function squawkProblems(root: string): string[] {
  const files = ["tables", "types", "changes"].flatMap((kind) =>
    sqlFiles(join(root, "sql", kind)).map((file) => `sql/${kind}/${file}`),
  );
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

/**
 * Where a text is not as expected: lines that only one of the two has, and of dumps the objects.
 *
 * @param of names what was found
 */
export function differences(expected: string, found: string, of: string): string[] {
  const [wanted, actual] = [objectsOf(expected), objectsOf(found)];
  return [...new Set([...wanted.keys(), ...actual.keys()])]
    .flatMap((object) => {
      const [before, after] = [wanted.get(object), actual.get(object)];
      if (after === undefined) return [`${of} lacks ${object}`];
      if (before === undefined) return [`${of} has   ${object}`];
      const lines = differentLines(before, after).map((line) => `${of} ${line}`);
      return object === "" ? lines : lines.map((line) => `${line}, in ${object}`);
    })
    .slice(0, MOST_DIFFERENCES);
}

const MOST_DIFFERENCES = 40;

/** A dump by object, such as TABLE pgtrail.log; any other text whole, under no name. */
function objectsOf(text: string): Map<string, string> {
  const [head = "", ...parts] = text.split(/^-- Name: (.*); Type: (.*); Schema: (.*); Owner: .*$/m);
  const objects = new Map([["", head]]);
  for (let at = 0; at < parts.length; at += 4) {
    const [name, type, schema, body = ""] = parts.slice(at, at + 4);
    objects.set(`${type} ${schema}.${name}`, body);
  }
  return objects;
}

function differentLines(expected: string, found: string): string[] {
  if (expected === found) return [];
  const [wanted, actual] = [expected, found].map((text) =>
    text.split("\n").map((line) => line.trim()),
  ) as [string[], string[]];
  const lines = [
    ...wanted.filter((line) => !actual.includes(line)).map((line) => `lacks ${line}`),
    ...actual.filter((line) => !wanted.includes(line)).map((line) => `has   ${line}`),
  ];
  return lines.length > 0 ? lines : ["has the same lines in another order"];
}

/** The gates that need a database, each of its own. */
function databaseGates(root: string, createDatabase: CreateDatabase): Gate[] {
  let generated = new Map<string, string>();
  let installed: { database: ScratchDatabase; dump: string } | undefined;
  let migrated: string | undefined;
  const requireInstalled = () => {
    if (installed !== undefined) return installed;
    throw new UserError("the install set could not be applied", {
      hint: "Repair what the gate named layers found first.",
    });
  };
  return [
    {
      name: "layers",
      summary: "the install set applies a layer at a time, and the jobs run after each",
      remedy: "Make the layer use nothing of those behind it.",
      problems: async () => {
        const database = await createDatabase();
        generated = await generateFiles(root, database, async (layer) => {
          await withClient(database.migratorUrl, (client) =>
            client
              .query("select pgtrail.seal(), pgtrail.maintain(), pgtrail.health()")
              .catch((cause: Error) => {
                throw new UserError(`the jobs fail behind the layer ${layer}: ${cause.message}`, {
                  cause,
                });
              }),
          );
        });
        installed = { database, dump: dumpSchema(database.superuserUrl) };
        return [];
      },
    },
    {
      name: "schema",
      summary: "what is generated is what the install set makes",
      remedy: "Run `npm run db:generate` and review what changes.",
      problems: () => {
        requireInstalled();
        return [...generated].flatMap(([path, text]) => {
          const file = join(root, path);
          return differences(text, existsSync(file) ? readFileSync(file, "utf8") : "", path);
        });
      },
    },
    {
      name: "migrate",
      summary: "migrations/, applied by node-pg-migrate, make the schema of the install set",
      remedy:
        "Write into sql/changes/ what the delta lacks; columns added later stand last in sql/tables.",
      problems: async () => {
        const { dump } = requireInstalled();
        const { migratorUrl, superuserUrl } = await createDatabase();
        await migrateBySteps(migratorUrl, [{ migrations: readMigrations(root) }]);
        migrated = dumpSchema(superuserUrl);
        return differences(dump, migrated, "migrations/");
      },
    },
    {
      name: "supabase",
      summary: "the Supabase CLI makes the same",
      remedy: "Keep to what both runners understand.",
      problems: async () => {
        const { dump } = requireInstalled();
        const { migratorUrl, superuserUrl } = await createDatabase();
        await pushMigrations(root, migratorUrl);
        return differences(migrated ?? dump, dumpSchema(superuserUrl), "supabase db push");
      },
    },
    {
      name: "replay",
      summary: "applying all that can be replayed once more changes nothing",
      remedy: "Make the source replayable: create or replace, drop policy if exists and the like.",
      problems: async () => {
        const { database, dump } = requireInstalled();
        await replaySources(root, database.migratorUrl);
        return differences(dump, dumpSchema(database.superuserUrl), "the replayed schema");
      },
    },
  ];
}

/**
 * Passes the gates one after the other, fast ones first, and yields what each found.
 *
 * @param textOnly only the gates that need no database
 */
export async function* check(root: string, textOnly: boolean): AsyncGenerator<GateResult> {
  for (const gate of textGates(root)) yield await pass(gate);
  if (textOnly) return;

  const missing = missingPostgres();
  if (missing !== undefined) {
    const summary = `${missing}: left to CI`;
    yield { gate: "database", status: "skipped", summary, problems: [], remedy: "" };
    return;
  }
  yield* await withScratchServer(async (createDatabase) => {
    const results: GateResult[] = [];
    for (const gate of databaseGates(root, createDatabase)) results.push(await pass(gate));
    return results;
  });
}
