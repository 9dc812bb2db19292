import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, inject } from "vitest";
import { type Cluster, type ClusterOptions, startCluster } from "../../src/cluster.js";
import { profilerSettings } from "./coverage.js";
import { copySeed } from "./seed.js";
import { binDirectoryOf } from "./server.js";
import { createLoginRoles, createTemplate, withClient } from "./template.js";

/** A server of one test file's own, for crashes, settings and whatever concerns a whole cluster. */
export interface TestCluster {
  /** The running server. */
  readonly cluster: Cluster;
  /**
   * Ends it, until `start`: `fast` and `immediate` are those of pg_ctl, `kill` is SIGKILL for the
   * postmaster and every process of it (Linux).
   */
  stop(how: "fast" | "immediate" | "kill"): Promise<void>;
  /** Starts it again on the same port. */
  start(): Promise<void>;
  /** Stops it without a checkpoint, as a crash does, and starts it again on the same port. */
  crash(): Promise<void>;
  /** Kills it and every process of it at once with SIGKILL, and starts it again on the same port. Linux. */
  kill(): Promise<void>;
  /** Name of the migrated template for `useDatabase(cluster)`, made when it is first asked for. */
  template(): Promise<string>;
}

/**
 * Gives the calling test file an embedded cluster of its own, whose durability settings are those
 * of Postgres unless `settings` says otherwise. It has the roles that tests log in as.
 *
 * @param version 15, 16, 17, 18 or debian, when not the one that the suite runs on
 */
export function useCluster(
  settings: Record<string, string> = {},
  version = process.env.PGTRAIL_TEST_POSTGRES,
): TestCluster {
  let options: ClusterOptions;
  let cluster: Cluster;
  let template: Promise<string> | undefined;

  beforeAll(async () => {
    const binDirectory = binDirectoryOf(version);
    // The soak has no server.
    const seed = inject("server")?.seed;
    const fitting = seed?.binDirectory === binDirectory ? seed : undefined;
    template = fitting && Promise.resolve(fitting.template);
    options = {
      directory: await (fitting ? copySeed(fitting) : mkdtemp(join(tmpdir(), "pgtrail-test-"))),
      authentication: "trust",
      // Only Debian has the profiler.
      settings: version === "debian" ? { ...profilerSettings(), ...settings } : settings,
      binDirectory,
    };
    cluster = await startCluster(options);
    if (!fitting) await withClient(cluster.url(), createLoginRoles);
  });

  afterAll(async () => {
    await cluster.stop("immediate");
    await rm(options.directory, { recursive: true, force: true });
  });

  async function start(): Promise<void> {
    cluster = await startCluster({ ...options, port: cluster.port });
  }

  async function stop(how: "fast" | "immediate" | "kill"): Promise<void> {
    if (how !== "kill") return cluster.stop(how);
    const lockFile = await readFile(join(cluster.dataDirectory, "postmaster.pid"), "utf8");
    const postmaster = Number.parseInt(lockFile, 10);
    const children = await childrenOf(postmaster);
    // The postmaster first, or it would begin a recovery of its own.
    for (const pid of [postmaster, ...children]) killHard(pid);
  }

  return {
    get cluster() {
      return cluster;
    },
    stop,
    start,
    async crash() {
      await stop("immediate");
      await start();
    },
    async kill() {
      await stop("kill");
      await start();
    },
    template() {
      template ??= createTemplate(cluster.url());
      return template;
    },
  };
}

/** Processes whose parent is `pid`. */
async function childrenOf(pid: number): Promise<number[]> {
  const processes = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const parents = await Promise.all(
    // The parent is the second field behind the name, which is in parentheses and may hold anything.
    processes.map(async (process) => {
      const stat = await readFile(`/proc/${process}/stat`, "utf8").catch(() => "");
      return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
    }),
  );
  return processes.filter((_, i) => parents[i] === pid).map(Number);
}

/** Sends SIGKILL; a process that has ended meanwhile is no error. */
function killHard(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
