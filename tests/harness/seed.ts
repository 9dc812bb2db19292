import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { startCluster } from "../../src/cluster.js";
import { createTemplate } from "./template.js";

/** A stopped cluster with a migrated template in it, of which the clusters of a run are copies. */
export interface Seed {
  /** Holds data/. */
  directory: string;
  /** Where its server programs are; undefined: those that the package embeds. */
  binDirectory: string | undefined;
  /** Name of the template. */
  template: string;
}

/** Settings of a cluster of which nothing outlives a crash, so that nothing waits for the disk. */
export const volatile = { fsync: "off", full_page_writes: "off" };

/** Makes a seed in a temporary directory, which the caller removes. */
export async function createSeed(binDirectory: string | undefined): Promise<Seed> {
  const directory = await mkdtemp(join(tmpdir(), "pgtrail-seed-"));
  const cluster = await startCluster({
    directory,
    authentication: "trust",
    binDirectory,
    settings: volatile,
  });
  try {
    const template = await createTemplate(cluster.url());
    const home = dirname(cluster.dataDirectory);
    return { directory: home, binDirectory, template };
  } finally {
    await cluster.stop();
    await rm(join(dirname(cluster.dataDirectory), "server.log"));
  }
}

/** Makes a directory for `startCluster` that holds a copy of the seed. */
export async function copySeed({ directory }: Seed): Promise<string> {
  const copy = await mkdtemp(join(tmpdir(), "pgtrail-test-"));
  // The account of the server owns the files, and refuses them from anybody else.
  await promisify(execFile)("cp", ["-a", `${directory}/.`, copy]);
  return copy;
}
