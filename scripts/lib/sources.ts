import { readFileSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../../src/errors/user_error.js";
import { sqlFiles } from "./files.js";
import { LAYERS } from "./layers.js";

/** A file of sql/: the truth about one function, or about the types, tables or policies of one thing. */
export interface Source {
  /** Path from the project's root, such as sql/functions/core/ids/uuid7.sql. */
  readonly path: string;
  readonly text: string;
}

/** What one migration of the install set is made of. */
export interface Step {
  /** The layer that it belongs to, such as core. */
  readonly layer: string;
  /** Name of the migration behind its 14 digits, such as core_tables. */
  readonly name: string;
  readonly sources: readonly Source[];
}

/** Kinds of sources, which can be applied again at any time. The others have state: they run once. */
const REPLAYABLE = ["functions", "views", "triggers", "policies"];

/** What a source speaks of, wherever it lies: its kind, such as functions, and its file's name. */
export function kindAndName(path: string): { kind: string; name: string } {
  const parts = path.split("/");
  return { kind: parts[1] ?? "", name: (parts.at(-1) ?? "").replace(/\.sql$/, "") };
}

/** Whether applying a source again changes nothing. */
export function isReplayable({ path }: Source): boolean {
  return REPLAYABLE.includes(kindAndName(path).kind);
}

/**
 * Reads sql/ as the migrations of the install set, in their order and each in its own. What is in
 * sql/changes/ belongs to none.
 *
 * @throws UserError when a source belongs to no migration, or an entry of a layer has no source.
 */
export function readSteps(root: string): Step[] {
  const files = sqlFiles(join(root, "sql")).filter((file) => !file.startsWith("changes/"));
  const entries = LAYERS.flatMap(({ migrations }): string[] => Object.values(migrations).flat());
  const owners = new Map(files.map((file) => [file, longestEntry(file, entries)]));
  const homeless = files.find((file) => owners.get(file) === undefined);
  if (homeless !== undefined) {
    throw new UserError(`sql/${homeless} belongs to no migration`, {
      hint: "Name its folder in scripts/lib/layers.ts, or move it to one that is named there.",
    });
  }
  const read = (entry: string): Source[] => {
    const found = files.filter((file) => owners.get(file) === entry);
    if (found.length === 0) {
      throw new UserError(`there is no source in sql/${entry}`, {
        hint: "Take it out of scripts/lib/layers.ts.",
      });
    }
    return found.map((file) => ({
      path: `sql/${file}`,
      text: readFileSync(join(root, "sql", file), "utf8"),
    }));
  };
  return LAYERS.flatMap(({ name: layer, migrations }) =>
    Object.entries<readonly string[]>(migrations).map(([name, own]) => ({
      layer,
      name,
      sources: own.flatMap(read),
    })),
  );
}

/** The entry that names a file most closely: the file itself, or the nearest folder. */
function longestEntry(file: string, entries: readonly string[]): string | undefined {
  return entries
    .filter((entry) => entry === file || (entry.endsWith("/") && file.startsWith(entry)))
    .sort((a, b) => b.length - a.length)[0];
}
