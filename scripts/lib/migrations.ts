/**
 * migrations/ is made of sql/. Until the first release it is the install set and is written anew by
 * each build. What a release had never changes: the sources that differ from it go into one more
 * file, the delta, behind what its author writes in sql/changes/ for the objects that have state.
 */
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../../src/errors.js";
import { sha256, sqlFiles } from "./files.js";
import { committedText, newestRelease } from "./git.js";
import { isReplayable, readSteps, type Source, type Step } from "./sources.js";

/** A file of migrations/. */
export interface Migration {
  /** File name, such as 20260101000100_core_tables.sql. */
  readonly name: string;
  readonly text: string;
}

/** Everything pgtrail makes is owned by this role; what is not setup takes it first. */
export const SET_ROLE = "set role pgtrail_owner;";

/** The runner then writes its history row as the migrating role. */
export const RESET_ROLE = "reset role;";

/** Hashes of migrations/ and sql/, for `sha256sum --check`; what a release tag has of it is frozen. */
export const CHECKSUMS = "migrations.sha256";

/** Time in the names of the install set, a minute apart. Both runners apply files in this order. */
const FIRST_STAMP = 20261127000100;

/** Migrations that the migrating role runs as itself: it makes the owner, and pg_cron runs its jobs. */
const AS_MIGRATING_ROLE = ["core_roles_and_schemas", "core_jobs"];

/** Reads migrations/ in the order in which it is applied. */
export function readMigrations(root: string): Migration[] {
  return sqlFiles(join(root, "migrations")).map((name) => ({
    name,
    text: readFileSync(join(root, "migrations", name), "utf8"),
  }));
}

/** The install set as sql/ is now: what an empty database needs. */
export function installSet(root: string, steps: readonly Step[] = readSteps(root)): Migration[] {
  return steps.map(({ name, sources }, index) => ({
    name: `${FIRST_STAMP + index * 100}_${name}.sql`,
    text: migrationText(
      sources.map(({ text }) => text),
      AS_MIGRATING_ROLE.includes(name),
    ),
  }));
}

function migrationText(parts: readonly string[], asMigratingRole = false): string {
  const frame = asMigratingRole ? [] : [`${SET_ROLE}\n`];
  const end = asMigratingRole ? [] : [`${RESET_ROLE}\n`];
  return [
    "-- Made of sql/ by `npm run db:build`; never edited.\n",
    ...frame,
    ...parts,
    ...end,
  ].join("\n");
}

/** What the newest release froze. */
export interface Release {
  /** Its tag, such as v0.1.0. */
  readonly tag: string;
  /** Path -> SHA-256 of the migrations and sources that it had. */
  readonly checksums: ReadonlyMap<string, string>;
}

/**
 * The newest release.
 *
 * @throws UserError when CHANGELOG.md has a release that git has no tag of.
 */
export function readRelease(root: string): Release | undefined {
  const tag = newestRelease(root);
  const changelog = join(root, "CHANGELOG.md");
  const released =
    existsSync(changelog) && /^## \[(\d\S*)\]/m.exec(readFileSync(changelog, "utf8"))?.[1];
  if (tag === undefined && released) {
    throw new UserError(`CHANGELOG.md has release ${released}, and git knows no tag of a release`, {
      hint: "Fetch the tags: git fetch --tags --unshallow. They tell which migrations are frozen.",
    });
  }
  if (tag === undefined) return undefined;
  return { tag, checksums: readChecksums(committedText(root, CHECKSUMS, tag)) };
}

function readChecksums(text: string): Map<string, string> {
  const lines = text.split("\n").filter((line) => line !== "");
  return new Map(lines.map((line) => [line.slice(66), line.slice(0, 64)]));
}

/**
 * What migrations/ must hold: the install set, or after a release what that had and one delta. The
 * delta is named for the version in package.json and applies sql/changes/<version>.sql, for what
 * has state, and then each source that can be replayed and differs from the release.
 *
 * @throws UserError when a file of the release is gone, or when sources with state differ from the
 *   release and nothing in sql/changes/ says how a database gets there.
 */
export function wantedMigrations(root: string, release = readRelease(root)): Migration[] {
  const steps = readSteps(root);
  if (release === undefined) return installSet(root, steps);

  const frozen = [...release.checksums.keys()].filter((path) => path.startsWith("migrations/"));
  const present = new Map(readMigrations(root).map((migration) => [migration.name, migration]));
  const kept = frozen.map((path) => {
    const migration = present.get(path.slice("migrations/".length));
    if (migration === undefined || sha256(migration.text) !== release.checksums.get(path)) {
      throw new UserError(`${path} was released with ${release.tag} and is not as it was`, {
        hint: `Restore it: git checkout ${release.tag} -- ${path}. Changes go into the next delta.`,
      });
    }
    return migration;
  });
  const delta = deltaText(root, release, steps);
  if (delta === undefined) return kept;
  const version = packageVersion(root).replaceAll(".", "_");
  const last = Number((kept.at(-1)?.name ?? "").slice(0, 14));
  return [...kept, { name: `${last + 100}_version_${version}.sql`, text: delta }];
}

function deltaText(root: string, release: Release, steps: readonly Step[]): string | undefined {
  const changed = steps
    .flatMap(({ sources }) => sources)
    .filter((source) => release.checksums.get(source.path) !== source.sha256);
  const file = join("sql", "changes", `${packageVersion(root)}.sql`);
  const byHand = existsSync(join(root, file)) ? [readFileSync(join(root, file), "utf8")] : [];
  const stateful = changed.find((source) => !isReplayable(source));
  if (stateful && byHand.length === 0) {
    throw new UserError(`${stateful.path} has state and differs from ${release.tag}`, {
      hint: `Write the statements that bring a database of ${release.tag} there into ${file}.`,
    });
  }
  const replayed = changed.filter(isReplayable).map(({ text }: Source) => text);
  if (byHand.length + replayed.length === 0) return undefined;
  return migrationText([...byHand, ...replayed]);
}

function packageVersion(root: string): string {
  return JSON.parse(readFileSync(join(root, "package.json"), "utf8")).version;
}

/** What migrations.sha256 must hold. */
function checksumText(root: string, migrations: readonly Migration[]): string {
  const files = [
    ...migrations.map(({ name, text }) => ({ path: `migrations/${name}`, sha256: sha256(text) })),
    ...readSteps(root).flatMap(({ sources }) => sources),
  ];
  return files.map(({ path, sha256 }) => `${sha256}  ${path}\n`).join("");
}

/**
 * Writes migrations/ and migrations.sha256.
 *
 * @returns the names of the migrations that changed.
 * @throws UserError as wantedMigrations does. Nothing is written then.
 */
export function buildMigrations(root: string): string[] {
  const wanted = wantedMigrations(root);
  const present = new Map(readMigrations(root).map(({ name, text }) => [name, text]));
  const changed = wanted.filter(({ name, text }) => present.get(name) !== text);
  for (const { name, text } of changed) writeFileSync(join(root, "migrations", name), text);
  const names = new Set(wanted.map(({ name }) => name));
  for (const name of readdirSync(join(root, "migrations"))) {
    if (!names.has(name)) rmSync(join(root, "migrations", name));
  }
  writeFileSync(join(root, CHECKSUMS), checksumText(root, wanted));
  return changed.map(({ name }) => name);
}

/**
 * Where migrations/ and migrations.sha256 are not what a build would write; empty when they are.
 *
 * @throws UserError as wantedMigrations does.
 */
export function migrationProblems(root: string): string[] {
  const wanted = wantedMigrations(root);
  const present = new Map(readMigrations(root).map(({ name, text }) => [name, text]));
  const names = new Set(wanted.map(({ name }) => name));
  const listed = join(root, CHECKSUMS);
  const isListed =
    existsSync(listed) && readFileSync(listed, "utf8") === checksumText(root, wanted);
  return [
    ...wanted
      .filter(({ name, text }) => present.get(name) !== text)
      .map(({ name }) => `migrations/${name} is not what sql/ makes of it`),
    ...[...present.keys()]
      .filter((name) => !names.has(name))
      .map((name) => `migrations/${name} is made of nothing in sql/`),
    ...(isListed ? [] : [`${CHECKSUMS} does not list the files as they are`]),
  ];
}
