import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { startCluster } from "../../src/cluster.js";

const root = join(import.meta.dirname, "../..");
let directory: string;
let running: ChildProcess[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "pgtrail-up-"));
  running = [];
});

afterEach(async () => {
  for (const child of running.filter((one) => one.exitCode === null)) {
    child.kill("SIGTERM");
    await once(child, "exit");
  }
  await rm(directory, { recursive: true, force: true });
});

/** Runs `pgtrail` as a process of its own. */
function pgtrail(...args: string[]) {
  const child = spawn(process.execPath, ["dist/cli.js", ...args], { cwd: root });
  running.push(child);
  let output = "";
  const collect = (chunk: Buffer) => {
    output += chunk.toString();
    child.emit("output");
  };
  child.stdout.on("data", collect);
  child.stderr.on("data", collect);
  const exited = once(child, "close").then(([code]) => ({ code: code as number, output }));
  return {
    pid: child.pid,
    /** Resolves with all output so far when it contains a text; rejects when the process ends first. */
    async told(text: string | RegExp): Promise<string> {
      while (!output.match(text)) {
        const ended = await Promise.race([once(child, "output").then(() => false), exited]);
        if (ended) throw new Error(`pgtrail ended without saying ${text}:\n${output}`);
      }
      return output;
    },
    stop(signal: NodeJS.Signals) {
      child.kill(signal);
      return exited;
    },
    exited,
  };
}

function up(...args: string[]) {
  return pgtrail("up", "--directory", directory, "--port", "0", ...args);
}

const READY = "Ctrl-C stops the server";

describe("pgtrail up", () => {
  it("shows the demo, stops on a signal and adds nothing the next time", {
    timeout: 240_000,
  }, async () => {
    const first = up("--demo");
    const tour = await first.told(READY);
    const events = Number(/([\d,]+) of \1 events/.exec(tour)?.[1]?.replace(",", ""));
    expect(events).toBeGreaterThan(9_000);
    expect(tour).toMatch(/certificate|activity/);
    expect(tour).toMatch(/ERROR 42501 +permission denied for table audit_log/);
    expect(tour).toMatch(/ERROR 42501 +audit_log is append-only: update refused\n +HINT +\w/);
    expect(tour).toMatch(/next_page +\S+/);
    expect(tour).toMatch(/\n +success +\d+ +\d\d \w{3} \d\d:\d\d\n +retryable_failure +\d+/);
    expect(tour).toMatch(/entries +([\d,]+), from [^\n]+\n/);
    expect(tour.match(/\n +0 entries\n/g)).toHaveLength(2);
    expect(tour).not.toContain("\u001b");
    for (const line of tour.split("\n")) expect(line.length, line).toBeLessThanOrEqual(100);
    const url = /application +(postgresql\S+)/.exec(tour)?.[1] ?? "";

    const stopped = await first.stop("SIGTERM");
    expect(stopped).toMatchObject({ code: 0, output: expect.stringContaining("Stopped.") });
    await expect(new pg.Client(url).connect()).rejects.toThrow("ECONNREFUSED");

    const second = up("--demo", "--json");
    const ready = JSON.parse(await second.told("\n"));
    expect(ready).toMatchObject({ directory, applied: [], demo: { events, added: 0 } });

    // It seals as a worker does.
    const client = new pg.Client(ready.urls.migrator);
    await client.connect();
    await vi.waitFor(
      async () => {
        const { rows } = await client.query("select tree_size::int as size from pgtrail.log");
        expect(rows[0].size).toBeGreaterThanOrEqual(events);
      },
      { timeout: 100_000, interval: 100 },
    );
    await client.end();

    const intruder = await up().exited;
    expect(intruder.code).toBe(1);
    expect(intruder.output).toContain(`already (pid ${second.pid})`);

    expect(await second.stop("SIGINT")).toMatchObject({ code: 0 });
  });

  it("stops cleanly while it loads, and goes on from there", { timeout: 240_000 }, async () => {
    const interrupted = up("--demo");
    await interrupted.told(/ of [\d,]+ events/);
    const { code, output } = await interrupted.stop("SIGINT");
    expect(code).toBe(0);
    expect(output).not.toContain(READY);

    const resumed = up("--demo", "--json");
    const { demo } = JSON.parse(await resumed.told("\n"));
    expect(demo.added).toBeGreaterThan(0);
    expect(demo.added).toBeLessThan(demo.events);
    expect(await resumed.stop("SIGTERM")).toMatchObject({ code: 0 });
  });

  it("stops cleanly while it starts", async () => {
    const starting = up();
    await starting.told("Starting");
    expect(await starting.stop("SIGTERM")).toMatchObject({ code: 0 });
  });

  it("ends with an error when somebody else stops the server", async () => {
    const deserted = up();
    await deserted.told(READY);
    const cluster = await startCluster({ directory });
    expect(cluster.reused).toBe(true);
    await cluster.stop();
    expect(await deserted.exited).toMatchObject({
      code: 1,
      output: expect.stringContaining("the server was stopped by somebody else"),
    });
  });

  it.each([
    ["an unknown option", ["up", "--nope"], "unknown option '--nope'"],
    ["a port that is none", ["up", "--port", "70000"], "from 0 to 65535"],
    [
      "a URL that is none",
      ["migrate", "--database-url", "nonsense"],
      "the database URL is not one",
    ],
  ])("takes %s as wrong usage", async (_, args, message) => {
    const { code, output } = await pgtrail(...args).exited;
    expect(code).toBe(2);
    expect(output).toContain(message);
    expect(output).not.toMatch(/\n +at /);
  });
});
