import { spawnSync } from "node:child_process";
import { UserError } from "../../src/errors/user_error.js";

function git(root: string, ...args: string[]): { status: number | null; out: string; err: string } {
  const { status, stdout, stderr, error } = spawnSync("git", ["-C", root, ...args], {
    encoding: "utf8",
    env: { ...process.env, LC_ALL: "C" },
    maxBuffer: 64 * 1024 * 1024,
  });
  if (error) {
    throw new UserError(`git cannot be run: ${error.message}`, {
      hint: "Install git: it tells which migrations have landed.",
      cause: error,
    });
  }
  return { status, out: stdout, err: stderr.trim() };
}

/**
 * The text of a file as a commit has it; undefined when the commit has no such file. Before the
 * first commit, and outside a git repository, "HEAD" has no file.
 *
 * @param path path from `root`, with forward slashes
 * @throws UserError when git is missing or refuses, or when there is no such commit.
 */
export function committedText(root: string, path: string, commit = "HEAD"): string | undefined {
  const repository = git(root, "rev-parse", "--git-dir");
  if (repository.status !== 0) {
    if (repository.err.includes("not a git repository")) return undefined;
    throw new UserError(`git refuses to read ${root}: ${repository.err}`);
  }
  if (git(root, "rev-parse", "--verify", "--quiet", `${commit}^{commit}`).status !== 0) {
    if (commit === "HEAD") return undefined;
    throw new UserError(`there is no commit "${commit}"`, {
      hint: "Name one that git knows here; a shallow clone may have to fetch it first.",
    });
  }
  if (git(root, "ls-tree", "--name-only", commit, "--", path).out === "") return undefined;
  const shown = git(root, "show", `${commit}:./${path}`);
  if (shown.status !== 0) throw new UserError(`git cannot show ${path} of ${commit}: ${shown.err}`);
  return shown.out;
}
