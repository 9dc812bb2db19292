import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../../src/errors/user_error.js";
import { sha256, sqlFiles } from "./files.js";

/** A file of migrations/. */
export interface Migration {
  /** File name, such as 20260101090000_create_core.sql. */
  readonly name: string;
  readonly text: string;
  /** SHA-256 of the bytes of the file. */
  readonly sha256: string;
  /** The slug, when db-build wrote the file; undefined for a hand-written migration. */
  readonly replaySlug: string | undefined;
}

/** What the name of a migration must look like for both runners to apply it in the same order. */
export const MIGRATION_NAME = /^(\d{14})_([a-z0-9_]+)\.sql$/;

const REPLAY_NAME = /^\d{14}_replay_([a-z0-9_]+)\.sql$/;

/** Everything pgtrail makes is owned by this role; each migration takes it first. */
export const SET_ROLE = "set role pgtrail_owner;";

/** Each migration ends so: the runner then writes its history row as the migrating role. */
export const RESET_ROLE = "reset role;";

/** Reads migrations/ in the order in which it is applied. */
export function readMigrations(root: string): Migration[] {
  return sqlFiles(join(root, "migrations")).map((name) => {
    const content = readFileSync(join(root, "migrations", name));
    const replaySlug = REPLAY_NAME.exec(name)?.[1];
    return { name, text: content.toString("utf8"), sha256: sha256(content), replaySlug };
  });
}

/** A time as the 14 digits that begin a migration's name, in UTC. */
function stamp(time: Date): string {
  return time.toISOString().replace(/\D/g, "").slice(0, 14);
}

/** The time that 14 digits stand for; undefined when there is no such time. */
function stampTime(digits: string): Date | undefined {
  const [year, month, day, hour, minute, second] =
    digits.match(/^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)$/)?.slice(1) ?? [];
  const time = new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  return Number.isNaN(time.getTime()) ? undefined : time;
}

/**
 * The name of a new migration: the present time, or a second after the newest one where that is
 * later still, so that it is applied last.
 *
 * @throws UserError when the label is not made of a-z, 0-9 and underscores, or when the newest
 *   migration's name does not begin with a time.
 */
export function newMigrationName(
  migrations: readonly Migration[],
  label: string,
  now: Date,
): string {
  if (!/^[a-z0-9_]+$/.test(label)) {
    throw new UserError(`a migration cannot be named "${label}"`, {
      hint: "Use lower-case letters, digits and underscores only, such as create_core.",
    });
  }
  const newest = migrations.at(-1)?.name;
  let time = now;
  if (newest !== undefined) {
    const newestTime = stampTime(newest.slice(0, 14));
    if (!newestTime) {
      throw new UserError(`the newest migration, ${newest}, does not begin with a time`, {
        hint: "Rename it to <yyyymmddhhmmss>_<name>.sql.",
      });
    }
    time = new Date(Math.max(now.getTime(), newestTime.getTime() + 1000));
  }
  return `${stamp(time)}_${label}.sql`;
}

/** Puts statements between the two that every migration begins and ends with. */
export function framed(body: string): string {
  return `${SET_ROLE}\n\n${body}\n${RESET_ROLE}\n`;
}

/**
 * Writes an empty hand-written migration and returns its name. The first of a project gets no
 * frame, since it creates the role that the frame takes.
 *
 * @throws UserError when the label is not usable.
 */
export function writeNewMigration(root: string, label: string, now = new Date()): string {
  if (label.startsWith("replay_")) {
    throw new UserError(`"${label}" would pass for a migration that db-build wrote`, {
      hint: "Choose a name that does not begin with replay_.",
    });
  }
  const migrations = readMigrations(root);
  const name = newMigrationName(migrations, label, now);
  writeFileSync(
    join(root, "migrations", name),
    migrations.length > 0 ? framed("") : "-- The first migration: creates pgtrail_owner.\n",
  );
  return name;
}
