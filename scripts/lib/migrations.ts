/**
 * migrations/ is made of sql/. Until the first release it is the install set and is written anew by
 * each build. What a release had never changes: the sources of a layer that differ from it go into
 * one more file, the layer's delta, behind what its author writes in sql/changes/ for the objects
 * that have state. So a database that stopped behind a layer has deltas to apply up to there.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../../src/errors/user_error.js";
import { sha256, sqlFiles } from "./files.js";
import { blobId, committedBlobs, committedText, newestRelease } from "./git.js";
import { AS_MIGRATING_ROLE, LAYERS } from "./layers.js";
import { isReplayable, readSteps, type Step } from "./sources.js";

/** A file of migrations/. */
export interface Migration {
  /** File name, such as 20260101000100_core_tables.sql. */
  readonly name: string;
  readonly text: string;
}

/** Everything pgtrail makes is owned by this role; what is not setup takes it first. */
export const SET_ROLE = "set role pgtrail_owner;";

/** The runner then writes its history row as the migrating role. */
const RESET_ROLE = "reset role;";

/** Hashes of migrations/, for `sha256sum --check`; what a release tag has of it is frozen. */
export const CHECKSUMS = "migrations.sha256";

/** Time in the names of the install set, a minute apart. Both runners apply files in this order. */
const FIRST_STAMP = 20261127000100;

/** Reads migrations/ in the order in which it is applied. */
export function readMigrations(root: string): Migration[] {
  return sqlFiles(join(root, "migrations")).map((name) => ({
    name,
    text: readFileSync(join(root, "migrations", name), "utf8"),
  }));
}

/** The install set as sql/ is now: what an empty database needs. */
export function installSet(steps: readonly Step[]): Migration[] {
  return steps.map(({ name, sources }, index) => ({
    name: `${FIRST_STAMP + index * 100}_${name}.sql`,
    text: migrationText(
      sources.map(({ text }) => text),
      AS_MIGRATING_ROLE.includes(name),
    ),
  }));
}

/** The install set by layer, in their order. */
export function installLayers(root: string): { layer: string; migrations: Migration[] }[] {
  const steps = readSteps(root);
  const migrations = installSet(steps);
  return LAYERS.map(({ name: layer }) => ({
    layer,
    migrations: migrations.filter((_, index) => steps[index]?.layer === layer),
  }));
}

function migrationText(parts: readonly string[], asMigratingRole = false): string {
  const framed = asMigratingRole ? parts : [`${SET_ROLE}\n`, ...parts, `${RESET_ROLE}\n`];
  return ["-- Made of sql/ by `npm run db:build`; never edited.\n", ...framed].join("\n");
}

/** What the newest release froze. */
export interface Release {
  /** Its tag, such as v0.1.0. */
  readonly tag: string;
  /** Path -> SHA-256 of the migrations that it had. */
  readonly checksums: ReadonlyMap<string, string>;
  /** Contents of the sources that it had, as git names them: a source may move to another room. */
  readonly sources: ReadonlySet<string>;
}

/**
 * The newest release.
 *
 * @throws UserError when git and CHANGELOG.md do not agree on which that is: nothing may be built
 *   then, because what is frozen is not known.
 */
export function readRelease(root: string): Release | undefined {
  const tag = newestRelease(root);
  const changelog = join(root, "CHANGELOG.md");
  const [, version] =
    (existsSync(changelog) && /^## \[(\d[^\]]*)\]/m.exec(readFileSync(changelog, "utf8"))) || [];
  if (version !== undefined && tag !== `v${version}`) {
    throw new UserError(
      `the newest release is ${version} in CHANGELOG.md, and ${tag ?? "unknown"} to git`,
      {
        hint: `Fetch the tags, or tag the release: v${version} tells which migrations are frozen.`,
      },
    );
  }
  if (tag === undefined) return undefined;
  return {
    tag,
    checksums: readChecksums(committedText(root, CHECKSUMS, tag)),
    sources: committedBlobs(root, "sql", tag),
  };
}

function readChecksums(text: string): Map<string, string> {
  const lines = text.split("\n").filter((line) => line !== "");
  return new Map(lines.map((line) => [line.slice(66), line.slice(0, 64)]));
}

/**
 * What migrations/ must hold: the install set, or after a release what that had and one delta for
 * each layer that differs. A delta is named for the layer and the version in package.json; it applies
 * sql/changes/<version>/<layer>.sql, for what has state, and then each source of the layer that can
 * be replayed and differs from the release.
 *
 * @throws UserError when a file of the release is not as it was, when the version is still that of
 *   the release, or when sources with state differ from it and nothing in sql/changes/ says how a
 *   database gets there.
 */
export function wantedMigrations(root: string): Migration[] {
  const steps = readSteps(root);
  const release = readRelease(root);
  if (release === undefined) return installSet(steps);
  const frozen = frozenMigrations(root, release);
  const newest = Number(frozen.at(-1)?.name.slice(0, 14));
  const version = packageVersion(root).replaceAll(".", "_");
  const deltas = LAYERS.flatMap(({ name: layer }) => {
    const text = deltaText(root, release, layer, steps);
    return text === undefined ? [] : [{ layer, text }];
  });
  return [
    ...frozen,
    ...deltas.map(({ layer, text }, index) => ({
      name: `${newest + (index + 1) * 100}_${layer}_${version}.sql`,
      text,
    })),
  ];
}

function frozenMigrations(root: string, { tag, checksums }: Release): Migration[] {
  const present = new Map(readMigrations(root).map((migration) => [migration.name, migration]));
  return [...checksums].map(([path, checksum]) => {
    const migration = present.get(path.slice("migrations/".length));
    if (migration === undefined || sha256(migration.text) !== checksum) {
      throw new UserError(`${path} is not as ${tag} released it`, {
        hint: `Restore it by git checkout ${tag} -- migrations, and change sql/: what differs makes the next delta.`,
      });
    }
    return migration;
  });
}

function deltaText(
  root: string,
  release: Release,
  layer: string,
  steps: readonly Step[],
): string | undefined {
  const changed = steps
    .filter((step) => step.layer === layer)
    .flatMap(({ sources }) => sources)
    .filter(({ text }) => !release.sources.has(blobId(text)));
  const version = packageVersion(root);
  if (`v${version}` === release.tag) {
    if (changed[0] === undefined) return undefined;
    throw new UserError(`${changed[0].path} has changed since ${release.tag} was released`, {
      hint: "Give package.json the version that will have the change.",
    });
  }
  const file = `sql/changes/${version}/${layer}.sql`;
  const byHand = existsSync(join(root, file)) ? [readFileSync(join(root, file), "utf8")] : [];
  const stateful = changed.find((source) => !isReplayable(source));
  if (stateful !== undefined && byHand.length === 0) {
    throw new UserError(`${stateful.path} has state and has changed since ${release.tag}`, {
      hint: `Write the statements that bring a database of ${release.tag} there into ${file}.`,
    });
  }
  const parts = [...byHand, ...changed.filter(isReplayable).map(({ text }) => text)];
  return parts.length === 0 ? undefined : migrationText(parts);
}

function packageVersion(root: string): string {
  return JSON.parse(readFileSync(join(root, "package.json"), "utf8")).version;
}

/** What migrations.sha256 must hold. */
function checksumText(migrations: readonly Migration[]): string {
  return migrations.map(({ name, text }) => `${sha256(text)}  migrations/${name}\n`).join("");
}

/**
 * Writes migrations/, its copy in supabase/ and migrations.sha256.
 *
 * @returns the names of the migrations that changed.
 * @throws UserError as wantedMigrations does. Nothing is written then.
 */
export function buildMigrations(root: string): string[] {
  const wanted = wantedMigrations(root);
  const present = new Map(readMigrations(root).map(({ name, text }) => [name, text]));
  for (const folder of ["migrations", "supabase/migrations"]) {
    rmSync(join(root, folder), { recursive: true, force: true });
    mkdirSync(join(root, folder), { recursive: true });
    for (const { name, text } of wanted) writeFileSync(join(root, folder, name), text);
  }
  writeFileSync(join(root, CHECKSUMS), checksumText(wanted));
  return wanted.filter(({ name, text }) => present.get(name) !== text).map(({ name }) => name);
}

/**
 * Where migrations/ and migrations.sha256 are not what a build would write; empty when they are.
 *
 * @throws UserError as wantedMigrations does.
 */
export function migrationProblems(root: string): string[] {
  const wanted = new Map(wantedMigrations(root).map((migration) => [migration.name, migration]));
  const present = new Map(readMigrations(root).map((migration) => [migration.name, migration]));
  const names = [...new Set([...wanted.keys(), ...present.keys()])];
  const listed = join(root, CHECKSUMS);
  const isListed =
    existsSync(listed) && readFileSync(listed, "utf8") === checksumText([...wanted.values()]);
  return [
    ...names
      .filter((name) => wanted.get(name)?.text !== present.get(name)?.text)
      .map((name) => `migrations/${name} is not what sql/ makes`),
    ...(isListed ? [] : [`${CHECKSUMS} does not list the files as they are`]),
  ];
}
