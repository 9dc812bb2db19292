import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../../src/errors/user_error.js";
import { sha256, sqlFiles } from "./files.js";
import { committedText } from "./git.js";
import { MIGRATION_NAME, type Migration, readMigrations } from "./migrations.js";

const CHECKSUMS = "migrations.sha256";
const COPY = "supabase/migrations";

/** What migrations.sha256 must hold: lines for `sha256sum --check`, in the order of the files. */
function checksumText(migrations: readonly Migration[]): string {
  return migrations.map(({ name, sha256 }) => `${sha256}  ${name}\n`).join("");
}

function lines(text: string): string[] {
  return text.split("\n").filter((line) => line !== "");
}

/** Why migrations do not continue the checksums that have landed; empty when they do. */
function landedProblems(migrations: readonly Migration[], landedText: string): string[] {
  const landed = new Map(lines(landedText).map((line) => [line.slice(66), line.slice(0, 64)]));
  const current = new Map(migrations.map(({ name, sha256 }) => [name, sha256]));
  const newestLanded = [...landed.keys()].at(-1) ?? "";
  const problems: string[] = [];
  for (const [name, checksum] of landed) {
    if (!current.has(name)) problems.push(`${name} has landed and is gone`);
    else if (current.get(name) !== checksum) problems.push(`${name} has landed and was changed`);
  }
  for (const name of current.keys()) {
    if (!landed.has(name) && name < newestLanded) {
      problems.push(`${name} is new and sorts before ${newestLanded}, which has landed`);
    }
  }
  return problems;
}

/** Names that the two runners would not apply in the same order. */
function nameProblems(migrations: readonly Migration[]): string[] {
  const problems: string[] = [];
  let previous = "";
  for (const { name } of migrations) {
    const stamp = MIGRATION_NAME.exec(name)?.[1] ?? "";
    if (stamp === "") problems.push(`${name} is not named <14 digits>_<a-z, 0-9, _>.sql`);
    else if (stamp === previous) problems.push(`${name} has the time of the migration before it`);
    previous = stamp;
  }
  return problems;
}

/**
 * Writes migrations.sha256 and makes supabase/migrations a copy of migrations/*.sql.
 *
 * @returns the number of migrations.
 * @throws UserError when a migration that git's HEAD lists was changed or removed, when a new one
 *   sorts before it, or when a name is not usable. Nothing is written then.
 */
export function sync(root: string): number {
  const migrations = readMigrations(root);
  const problems = [
    ...nameProblems(migrations),
    ...landedProblems(migrations, committedText(root, CHECKSUMS) ?? ""),
  ];
  if (problems.length > 0) {
    throw new UserError(`the migrations cannot be listed: ${problems.join("; ")}`, {
      hint: "Restore landed files with git; rename new ones so that they sort last.",
    });
  }
  writeFileSync(join(root, CHECKSUMS), checksumText(migrations));
  const copy = join(root, COPY);
  mkdirSync(copy, { recursive: true });
  const names = new Set(migrations.map(({ name }) => name));
  for (const name of sqlFiles(copy)) if (!names.has(name)) rmSync(join(copy, name));
  for (const name of names) copyFileSync(join(root, "migrations", name), join(copy, name));
  return migrations.length;
}

/**
 * What is wrong with the names, the checksums and the copy of the migrations; empty when nothing is.
 *
 * @param landedIn the commit whose migrations.sha256 counts as landed
 * @throws UserError when git cannot be asked or has no such commit.
 */
export function historyProblems(root: string, landedIn = "HEAD"): string[] {
  const migrations = readMigrations(root);
  const problems = [
    ...nameProblems(migrations),
    ...landedProblems(migrations, committedText(root, CHECKSUMS, landedIn) ?? ""),
  ];

  const checksums = join(root, CHECKSUMS);
  const listed = existsSync(checksums) ? readFileSync(checksums, "utf8") : "";
  const expected = checksumText(migrations);
  if (listed !== expected) {
    const listedLines = new Set(lines(listed));
    const wanted = new Set(lines(expected));
    const wrong = [
      ...[...wanted].filter((line) => !listedLines.has(line)).map((line) => `+ ${line}`),
      ...[...listedLines].filter((line) => !wanted.has(line)).map((line) => `- ${line}`),
    ];
    problems.push(`${CHECKSUMS} does not list the migrations as they are`, ...wrong);
  }

  const copied = sqlFiles(join(root, COPY));
  const names = new Set(migrations.map(({ name }) => name));
  for (const name of copied) {
    if (!names.has(name)) problems.push(`${COPY}/${name} has no original in migrations/`);
  }
  for (const migration of migrations) {
    if (!copied.includes(migration.name)) problems.push(`${COPY}/${migration.name} is missing`);
    else if (sha256(readFileSync(join(root, COPY, migration.name))) !== migration.sha256) {
      problems.push(`${COPY}/${migration.name} differs from its original in migrations/`);
    }
  }
  return problems;
}
