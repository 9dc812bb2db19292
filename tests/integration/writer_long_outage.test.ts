import { execFile, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, test } from "vitest";
import { projectRoot } from "../../scripts/lib/files.js";
import { type FaultProxy, startFaultProxy } from "../harness/fault_proxy.js";
import { useDatabase } from "../harness/index.js";
import type { Progress, Task } from "../runtimes/log_through_outage.js";

const EVENTS = 100_000;
const MAX_ENTRIES = 1000;
const EVICTED = EVENTS - MAX_ENTRIES;
/** An event takes about a kilobyte, so that keeping them all would take 100 MB. */
const MAX_GROWTH = 20 * 2 ** 20;

const database = useDatabase();

let directory: string;
let proxy: FaultProxy;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "pgtrail-outage-"));
  proxy = await startFaultProxy(Number(new URL(database.url()).port));
});

afterEach(async () => {
  proxy.close();
  await rm(directory, { recursive: true, force: true });
});

test("100,000 events during an outage cost no memory, and every one of them is restored", async () => {
  await proxy.set({ kind: "refused" });
  const file = join(directory, "stderr.log");
  const application = await startApplication(file);
  try {
    const down = await application.progress();
    expect(down.statuses).toEqual({ buffered: EVENTS });
    expect(down.metrics).toMatchObject({
      dbAvailable: false,
      written: 0,
      buffered: EVENTS,
      inBuffer: MAX_ENTRIES,
      evicted: EVICTED,
      dropped: 0,
      linesLost: 0,
    });
    expect(down.grown.heap).toBeLessThan(MAX_GROWTH);
    expect(down.grown.external).toBeLessThan(MAX_GROWTH);

    await proxy.set({ kind: "none" });
    const recovered = await application.progress();
    expect(recovered.metrics).toMatchObject({
      dbAvailable: true,
      inBuffer: 0,
      flushed: MAX_ENTRIES,
      evicted: EVICTED,
    });
    expect(await application.ended).toEqual([0, null]);
  } finally {
    application.kill();
  }
  const all = Array.from({ length: EVENTS }, (_, n) => n);
  expect(await numbers()).toEqual(all.slice(EVICTED));

  expect(await replay(file)).toMatchObject({ inserted: EVICTED, alreadyThere: MAX_ENTRIES });
  expect(await numbers()).toEqual(all);
  expect(await replay(file)).toMatchObject({ inserted: 0, alreadyThere: EVENTS });
  expect(await numbers()).toEqual(all);
}, 600_000);

/** Starts a process that logs the events through the proxy, with standard error going to a file. */
async function startApplication(file: string) {
  const stderr = await open(file, "a");
  const child = fork("tests/runtimes/log_through_outage.ts", {
    cwd: projectRoot,
    execArgv: ["--expose-gc", "--import", "tsx"],
    stdio: ["ignore", "inherit", stderr.fd, "ipc"],
  });
  await stderr.close();
  const ended = once(child, "exit");
  const failed = ended.then(([code]) => {
    throw new Error(`it ended with ${code} before it told how it does`);
  });
  failed.catch(() => {});

  const connection = new URL(database.url("authenticator"));
  connection.port = String(proxy.port);
  connection.searchParams.set("options", "-c role=service_role");
  const task: Task = {
    connectionString: connection.href,
    events: EVENTS,
    maxEntries: MAX_ENTRIES,
  };
  child.send(task);
  return {
    ended,
    async progress(): Promise<Progress> {
      const [message] = await Promise.race([once(child, "message"), failed]);
      return message;
    },
    kill: () => child.kill("SIGKILL"),
  };
}

/** Numbers of the events that are in the trail, sorted, each as often as it is there. */
async function numbers(): Promise<number[]> {
  const { rows } = await database.superuser.query<{ number: number }>(
    `select entity_id::int as number from public.audit_log where entity_type = 'outage'
     order by number`,
  );
  return rows.map(({ number }) => number);
}

/** What `pgtrail replay --json` of a file prints. */
async function replay(file: string): Promise<unknown> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ["dist/cli.js", "replay", file, "--json"],
    { cwd: projectRoot, env: { ...process.env, DATABASE_URL: database.url("migrator") } },
  );
  return JSON.parse(stdout);
}
