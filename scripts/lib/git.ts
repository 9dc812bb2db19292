import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { UserError } from "../../src/errors/user_error.js";

function git(root: string, ...args: string[]): { status: number | null; out: string; err: string } {
  const { status, stdout, stderr, error } = spawnSync("git", ["-C", root, ...args], {
    encoding: "utf8",
    env: { ...process.env, LC_ALL: "C" },
    maxBuffer: 64 * 1024 * 1024,
  });
  if (error) {
    throw new UserError(`git cannot be run: ${error.message}`, {
      hint: "Install git: it tells what was released.",
      cause: error,
    });
  }
  return { status, out: stdout, err: stderr.trim() };
}

/** Versions begin with a number, such as v0.1.0. */
const RELEASES = "v[0-9]*";

/**
 * The tag of the newest release that HEAD continues; undefined when there was none, and outside a
 * git repository.
 *
 * @throws UserError when git is missing or refuses to read the folder.
 */
export function newestRelease(root: string): string | undefined {
  const repository = git(root, "rev-parse", "--verify", "--quiet", "HEAD");
  if (repository.err.includes("dubious ownership")) {
    throw new UserError(`git refuses to read ${root}: ${repository.err}`);
  }
  if (repository.status !== 0) return undefined;
  const { status, out } = git(root, "describe", "--tags", "--abbrev=0", `--match=${RELEASES}`);
  return status === 0 ? out.trim() : undefined;
}

/**
 * The text of a file as a commit has it.
 *
 * @param path path from `root`, with forward slashes
 * @throws UserError when the commit has no such file.
 */
export function committedText(root: string, path: string, commit: string): string {
  const { status, out, err } = git(root, "show", `${commit}:./${path}`);
  if (status !== 0) throw new UserError(`git cannot show ${path} of ${commit}: ${err}`);
  return out;
}

/**
 * Ids of the contents of all files below a folder, as a commit has them: what `blobId` gives.
 *
 * @param path path from `root`, with forward slashes
 */
export function committedBlobs(root: string, path: string, commit: string): Set<string> {
  const { out } = git(root, "ls-tree", "-r", "--object-only", `${commit}:./${path}`);
  return new Set(out.split("\n").filter((id) => id !== ""));
}

/** The id that git gives to a text. */
export function blobId(text: string): string {
  const content = Buffer.from(text);
  return createHash("sha1").update(`blob ${content.length}\0`).update(content).digest("hex");
}
