import { UserError } from "../../src/errors/user_error.js";
import type { Migration } from "./migrations.js";
import type { Source } from "./sources.js";

/** A source as a replay migration holds it. */
export interface FencedCopy {
  readonly path: string;
  /** Hash that the fence states. */
  readonly sha256: string;
  readonly text: string;
  /** Name of the migration that holds the copy. */
  readonly migration: string;
}

const OPENING = /^-- >>> (\S+) sha256:([0-9a-f]{64})$/;

function closing(path: string): string {
  return `-- <<< ${path}`;
}

/**
 * A source between its fences.
 *
 * @throws UserError when the source has no newline at its end or holds a fence itself: it could not
 *   be read back.
 */
export function fence(source: Source): string {
  if (!source.text.endsWith("\n")) {
    throw new UserError(`${source.path} does not end with a newline`, { hint: "Add one." });
  }
  if (/^-- (>>>|<<<) /m.test(source.text)) {
    throw new UserError(`${source.path} has a line that begins like a fence`, {
      hint: "Write that comment differently: lines with `-- >>>` and `-- <<<` mark sources.",
    });
  }
  return `-- >>> ${source.path} sha256:${source.sha256}\n${source.text}${closing(source.path)}\n`;
}

/**
 * Reads the fenced copies of a migration, in their order.
 *
 * @throws UserError when a fence is never closed.
 */
export function readFences({ name, text }: Pick<Migration, "name" | "text">): FencedCopy[] {
  const lines = text.split("\n");
  return lines.flatMap((line, index) => {
    const [, path, sha256] = OPENING.exec(line) ?? [];
    if (path === undefined || sha256 === undefined) return [];
    const end = lines.indexOf(closing(path), index);
    if (end === -1) {
      throw new UserError(`migrations/${name}:${index + 1}: the fence of ${path} is never closed`, {
        hint: "Replay migrations are not edited by hand: restore the file from git or build it again.",
      });
    }
    const copy = lines.slice(index + 1, end).map((line) => `${line}\n`);
    return [{ path, sha256, text: copy.join(""), migration: name }];
  });
}

/** The last fenced copy of each source, by its path. */
export function latestCopies(migrations: readonly Migration[]): Map<string, FencedCopy> {
  return new Map(migrations.flatMap(readFences).map((copy) => [copy.path, copy]));
}
