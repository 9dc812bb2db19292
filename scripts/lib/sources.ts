import { readFileSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../../src/errors/user_error.js";
import { compareText, sha256, sqlFiles } from "./files.js";

/** A file of sql/: replayable text, the truth about one object or one table's objects. */
export interface Source {
  /** Path from the project's root, such as sql/functions/core/uuid7.sql. */
  readonly path: string;
  readonly text: string;
  /** SHA-256 of the bytes of the file. */
  readonly sha256: string;
  /** Paths of the sources that must be applied before this one. */
  readonly requires: readonly string[];
}

/** The folders of sources, in the order in which they are applied. */
const FOLDERS = [
  "sql/functions/core/",
  "sql/functions/trails/",
  "sql/functions/domain/",
  "sql/triggers/",
  "sql/views/",
  "sql/policies/",
  "sql/jobs/",
];

/** Place of a source's folder in the order of application; -1 when it has none. */
function folderRank(path: string): number {
  return FOLDERS.findIndex((folder) => path.startsWith(folder));
}

/** What a source speaks of, wherever it lies: its kind, such as functions, and its file's name. */
export function kindAndName(path: string): { kind: string; name: string } {
  const parts = path.split("/");
  return { kind: parts[1] ?? "", name: (parts.at(-1) ?? "").replace(/\.sql$/, "") };
}

/** The paths of the `-- requires: <path>` lines in the comment that begins a source. */
function requirements(text: string): string[] {
  const header = /^(?:[ \t]*(?:--[^\n]*)?\n)*/.exec(text)?.[0] ?? "";
  return [...header.matchAll(/^[ \t]*--[ \t]*requires:[ \t]*(\S+)[ \t]*$/gm)].map(
    (match) => match[1] as string,
  );
}

/**
 * Reads sql/ in the order of application: folder by folder, alphabetically within, and what a
 * source requires right before it.
 *
 * @throws UserError when a file lies in a folder that has no place in the order, when a required
 *   source does not exist, or when sources require each other in a circle.
 */
export function readSources(root: string): Source[] {
  const sources = sqlFiles(join(root, "sql")).map((file): Source => {
    const content = readFileSync(join(root, "sql", file));
    const text = content.toString("utf8");
    return { path: `sql/${file}`, text, sha256: sha256(content), requires: requirements(text) };
  });
  for (const { path } of sources) {
    if (folderRank(path) === -1) {
      throw new UserError(`${path} lies in no folder that is built`, {
        hint: `Move it to one of these: ${FOLDERS.join(", ")}.`,
      });
    }
  }
  sources.sort((a, b) => folderRank(a.path) - folderRank(b.path) || compareText(a.path, b.path));
  return requiredFirst(sources);
}

function requiredFirst(sources: readonly Source[]): Source[] {
  const byPath = new Map(sources.map((source) => [source.path, source]));
  const ordered = new Set<Source>();
  const visit = (source: Source, dependents: readonly string[]): void => {
    const circleStart = dependents.indexOf(source.path);
    if (circleStart !== -1) {
      const circle = [...dependents.slice(circleStart), source.path].join(" -> ");
      throw new UserError(`sources require each other in a circle: ${circle}`, {
        hint: "Remove one of these `-- requires:` lines.",
      });
    }
    for (const path of source.requires) {
      const required = byPath.get(path);
      if (!required) {
        throw new UserError(`${source.path} requires ${path}, which does not exist`, {
          hint: "Write the path from the project's root, such as sql/functions/core/uuid7.sql.",
        });
      }
      if (!ordered.has(required)) visit(required, [...dependents, source.path]);
    }
    ordered.add(source);
  };
  for (const source of sources) if (!ordered.has(source)) visit(source, []);
  return [...ordered];
}
