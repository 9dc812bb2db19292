import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { onTestFinished } from "vitest";
import { LAYERS } from "../../../scripts/lib/layers.js";

/** A project in a temporary folder that goes when the test ends. */
export interface Project {
  readonly root: string;
  write(path: string, text: string): void;
  read(path: string): string;
  remove(path: string): void;
  /** Commits everything to a git repository, which the first call makes. */
  commit(): void;
  /** Tags the last commit. */
  tag(name: string): void;
}

/** Makes a project of files, given as path -> text. */
export function makeProject(files: Record<string, string> = {}): Project {
  const root = mkdtempSync(join(tmpdir(), "pgtrail-project-"));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  const project: Project = {
    root,
    write(path, text) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    },
    read: (path) => readFileSync(join(root, path), "utf8"),
    remove: (path) => rmSync(join(root, path)),
    commit() {
      const identity = ["-c", "user.name=test", "-c", "user.email=test@example.com"];
      execFileSync("git", ["init", "--quiet"], { cwd: root });
      execFileSync("git", ["add", "--all"], { cwd: root });
      const message = ["commit", "--quiet", "--no-gpg-sign", "--message=test"];
      execFileSync("git", [...identity, ...message], { cwd: root });
    },
    tag: (name) => execFileSync("git", ["tag", name], { cwd: root }),
  };
  mkdirSync(join(root, "migrations"));
  for (const [path, text] of Object.entries(files)) project.write(path, text);
  return project;
}

/** Makes a project at version 0.1.0 with a source for every entry of every layer. */
export function makeSources(): Project {
  const project = makeProject({ "package.json": '{"version": "0.1.0"}\n' });
  const entries = LAYERS.flatMap(({ migrations }): string[] => Object.values(migrations).flat());
  entries.forEach((entry, index) => {
    const isFolder = entry.endsWith("/");
    const text = entry.startsWith("functions") ? functionSource("f") : `select ${index};\n`;
    project.write(`sql/${entry}${isFolder ? "f.sql" : ""}`, text);
  });
  return project;
}

/** A function's source that keeps every rule. */
export function functionSource(name: string, header = ""): string {
  return `${header}create or replace function pgtrail.${name}()
    returns int
    language sql
    set search_path = pg_catalog, pg_temp
as $$
    select 1;
$$;

revoke all on function pgtrail.${name}() from public, anon;
comment on function pgtrail.${name}() is 'Returns one.';
`;
}
