import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmod,
  chown,
  cp,
  lstat,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  writeFile,
} from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import pg from "pg";
import { afterEach, describe, expect, it } from "vitest";
import { canEnter } from "../../src/cluster/account.js";
import { findBinaries } from "../../src/cluster/binaries.js";
import {
  type Cluster,
  type ClusterOptions,
  freePort,
  startCluster,
} from "../../src/cluster/cluster.js";
import { UserError } from "../../src/errors/user_error.js";

const root = join(import.meta.dirname, "../..");
const isRoot = process.getuid?.() === 0;
const nobody = { uid: 65534, gid: 65534 };
const nobodyMayRead = isRoot && (await canEnter(nobody, root));
const settings = { fsync: "off" };

/** What the running test has to undo, newest first. */
const cleanups: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "pgtrail-cluster-"));
  cleanups.push(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

async function start(options: ClusterOptions): Promise<Cluster> {
  const cluster = await startCluster({ settings, ...options });
  cleanups.push(() => cluster.stop("immediate"));
  return cluster;
}

async function query(url: string, text: string) {
  const client = new pg.Client(url);
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}

async function postmasterPid(cluster: Cluster): Promise<number> {
  const lock = await readFile(join(cluster.dataDirectory, "postmaster.pid"), "utf8");
  return Number(lock.split("\n")[0]);
}

describe("startCluster", () => {
  it("keeps its data between two runs", async () => {
    const directory = await temporaryDirectory();
    const first = await start({ directory });
    expect(first).toMatchObject({ directory, dataDirectory: join(directory, "data") });
    await query(first.url(), "create table kept as select 1 as value");
    await first.stop();
    await expect(query(first.url(), "select")).rejects.toThrow("ECONNREFUSED");

    const second = await start({ directory });
    expect(second.reused).toBe(false);
    expect(await query(second.url(), "select value from kept")).toEqual([{ value: 1 }]);
  });

  it("listens on the loopback address only, speaks UTF8 and passes settings on as they are", async () => {
    const prefix = `it's "quoted" $HOME %p `;
    const cluster = await start({
      directory: await temporaryDirectory(),
      settings: { ...settings, log_line_prefix: prefix },
    });
    const names = ["listen_addresses", "unix_socket_directories", "server_encoding"];
    const shown = [...names, "log_line_prefix", "fsync"].map(
      (name) => `current_setting('${name}') as ${name}`,
    );
    expect(await query(cluster.url(), `select ${shown}`)).toEqual([
      {
        listen_addresses: "127.0.0.1",
        unix_socket_directories: "",
        server_encoding: "UTF8",
        log_line_prefix: prefix,
        fsync: "off",
      },
    ]);
  });

  it("asks for the password, unless it is told to trust", async () => {
    const wrong = { user: "postgres", password: "wrong" };
    const careful = await start({ directory: await temporaryDirectory() });
    await expect(query(careful.url(wrong), "select")).rejects.toMatchObject({ code: "28P01" });

    const trusting = await start({
      directory: await temporaryDirectory(),
      authentication: "trust",
    });
    expect(await query(trusting.url(wrong), "select 1 as value")).toEqual([{ value: 1 }]);
  });

  it("uses the server that runs on the directory already, whoever started it", async () => {
    const directory = await temporaryDirectory();
    const several = await Promise.all([1, 2, 3].map(() => start({ directory })));
    expect(several.filter((cluster) => !cluster.reused)).toHaveLength(1);
    expect(new Set(several.map((cluster) => cluster.port)).size).toBe(1);
    expect(await readdir(directory)).toEqual([".gitignore", "data", "server.log"]);

    const later = await start({ directory, port: await freePort() });
    expect(later).toMatchObject({ reused: true, port: several[0]?.port });
  });

  it("comes up again after the server was killed", async () => {
    const directory = await temporaryDirectory();
    const killed = await start({ directory });
    await query(killed.url(), "create table kept ()");
    process.kill(await postmasterPid(killed), "SIGKILL");

    const cluster = await start({ directory });
    expect(await query(cluster.url(), "select from kept")).toEqual([]);
  });

  it("is not deceived by a lock file whose process number belongs to another program now", async () => {
    const directory = await temporaryDirectory();
    const killed = await start({ directory });
    const lockFile = join(killed.dataDirectory, "postmaster.pid");
    const lock = await readFile(lockFile, "utf8");
    await killed.stop();
    await writeFile(lockFile, lock.replace(/^\d+/, String(process.pid)));

    const cluster = await start({ directory });
    expect(cluster.reused).toBe(false);
    expect(await query(cluster.url(), "select 1 as value")).toEqual([{ value: 1 }]);
  });

  it("refuses a port that is in use", async () => {
    const listener = createServer().listen(0, "127.0.0.1");
    cleanups.push(async () => listener.close());
    await once(listener, "listening");
    const { port } = listener.address() as { port: number };

    await expect(start({ directory: await temporaryDirectory(), port })).rejects.toThrow(
      `port ${port} is in use`,
    );
  });

  it("says what the server said when it does not start", async () => {
    const failed = start({
      directory: await temporaryDirectory(),
      settings: { shared_buffers: "plenty" },
    });
    await expect(failed).rejects.toThrow(UserError);
    await expect(failed).rejects.toThrow(/server\.log says:\n.*shared_buffers.*"plenty"/);
  });

  it("names the directory that it cannot use", async () => {
    const file = join(await temporaryDirectory(), "file");
    await writeFile(file, "");
    await expect(start({ directory: join(file, "inside") })).rejects.toThrow(UserError);
  });

  it.runIf(isRoot)(
    "keeps the data elsewhere when its account cannot enter the directory",
    async () => {
      const secret = await temporaryDirectory();
      const directory = join(secret, "project", ".pgtrail");
      const cluster = await start({ directory });
      const elsewhere = dirname(cluster.dataDirectory);
      cleanups.unshift(() => rm(elsewhere, { recursive: true, force: true }));

      expect(cluster.directory).toBe(directory);
      expect(elsewhere).toMatch(/^\/var\/lib\/pgtrail\/[0-9a-f]{16}$/);
      expect(await readFile(join(directory, "where-the-data-is.txt"), "utf8")).toContain(elsewhere);
      await cluster.stop();
      expect(await start({ directory })).toMatchObject({ dataDirectory: cluster.dataDirectory });
    },
  );

  it("completes programs that npm unpacked and nobody finished", async () => {
    const installed = dirname(await findBinaries(undefined, undefined));
    const unfinished = join(await temporaryDirectory(), "package", "native");
    await cp(installed, unfinished, {
      recursive: true,
      filter: async (path) => !(await lstat(path)).isSymbolicLink(),
    });
    const identity = { name: "@pgtrail/unfinished", version: `0.0.${process.pid}` };
    await writeFile(join(dirname(unfinished), "package.json"), JSON.stringify(identity));
    const programs = await readdir(join(unfinished, "bin"));
    for (const name of programs) await chmod(join(unfinished, "bin", name), 0o644);

    const cluster = await start({
      directory: await temporaryDirectory(),
      binDirectory: join(unfinished, "bin"),
    });
    expect(await query(cluster.url(), "select 1 as value")).toEqual([{ value: 1 }]);

    // Out of the reach of root's account, they were copied.
    const copy = `/var/lib/pgtrail/pgtrail-unfinished-${identity.version}`;
    cleanups.unshift(() => rm(copy, { recursive: true, force: true }));
    const used = await readFile(join(cluster.dataDirectory, "postmaster.opts"), "utf8");
    expect(used).toContain(`${isRoot ? copy : dirname(unfinished)}/native/bin/postgres`);
  });

  it.runIf(nobodyMayRead)("needs no root", async () => {
    const home = await temporaryDirectory();
    await chown(home, nobody.uid, nobody.gid);
    const script = `
      const { startCluster } = await import("./src/cluster/cluster.ts");
      const cluster = await startCluster({ directory: process.env.HOME + "/cluster" });
      await cluster.stop();`;
    const child = spawn(
      process.execPath,
      ["--import", "tsx", "--input-type=module", "--eval", script],
      {
        ...nobody,
        cwd: root,
        env: { ...process.env, HOME: home },
        stdio: ["ignore", "ignore", "inherit"],
      },
    );
    expect(await once(child, "exit")).toEqual([0, null]);
    expect((await stat(join(home, "cluster", "data"))).uid).toBe(nobody.uid);
  });

  it.runIf(isRoot)("runs as the owner of the data directory when root starts it", async () => {
    const directory = await temporaryDirectory();
    await (await start({ directory })).stop();
    const owner = (await stat(join(directory, "data"))).uid;
    expect(owner).not.toBe(0);
    const cluster = await start({ directory });
    expect((await stat(`/proc/${await postmasterPid(cluster)}`)).uid).toBe(owner);
  });
});

describe("freePort", () => {
  it("is the preferred one, until somebody takes it", async () => {
    const preferred = await freePort();
    expect(await freePort(preferred)).toBe(preferred);

    const listener = createServer().listen(preferred, "127.0.0.1");
    cleanups.push(async () => listener.close());
    await once(listener, "listening");
    const other = await freePort(preferred);
    expect(other).not.toBe(preferred);
    expect(other).toBeGreaterThan(0);
  });
});
