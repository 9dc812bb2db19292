import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { projectRoot } from "../../scripts/lib/files.js";
import { freePort } from "../../src/cluster.js";
import { ids, useCluster, useDatabase } from "../harness/index.js";

const cluster = useCluster({ fsync: "off" });
const database = useDatabase(cluster);

/** A line of JSON that a worker prints. */
interface Line {
  [name: string]: unknown;
  job?: string;
  error?: { code: string | null; message: string };
}

/** What the running test has to undo. */
const cleanups: (() => Promise<unknown>)[] = [];
const hasEnded = (child: ChildProcess) => child.exitCode !== null || child.signalCode !== null;

beforeAll(async () => {
  // The database of this file is a copy of the migrated template.
  await database.superuser.query("select pgtrail.enable_retention()");
  await database.superuser.query("create role stranger login");
});

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  await database.superuser.query("delete from pgtrail.alert");
});

/** Runs `pgtrail worker` on the test's database as its migrator. */
function worker(args: string[] = [], environment: Record<string, string> = {}) {
  const child = spawn(process.execPath, ["dist/cli.js", "worker", ...args], {
    cwd: projectRoot,
    env: { ...process.env, DATABASE_URL: database.url("migrator"), ...environment },
  });
  cleanups.push(async () => {
    if (hasEnded(child)) return;
    child.kill("SIGKILL");
    await once(child, "close");
  });
  const output = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].on("data", (chunk: Buffer) => {
      output[name] += chunk;
      child.emit("output");
    });
  }
  const exited = once(child, "close").then(([code]) => code as number | null);
  const linesOf = (text: string): Line[] =>
    text
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line));
  return {
    output,
    exited,
    /** Runs of jobs so far. */
    runs: (): Line[] => linesOf(output.stdout),
    /** Alerts and troubles so far. */
    warnings: (): Line[] => linesOf(output.stderr),
    /** Resolves when `condition` is true; rejects when the process ends first. */
    async until(condition: () => boolean): Promise<void> {
      while (!condition()) {
        const ended = await Promise.race([once(child, "output").then(() => false), exited]);
        if (ended !== false) throw new Error(`it ended:\n${output.stdout}${output.stderr}`);
      }
    },
    stop(signal: NodeJS.Signals = "SIGTERM") {
      child.kill(signal);
      return exited;
    },
  };
}

/** A worker that has done both jobs once and hears of alerts. */
async function startWorker(args: string[] = [], environment: Record<string, string> = {}) {
  const started = worker(args, environment);
  await started.until(() => ["seal", "maintain"].every((job) => hasRun(started.runs(), job)));
  return started;
}

const ofJob = (lines: Line[], job: string) => lines.filter((line) => line.job === job);
const hasRun = (lines: Line[], job: string) =>
  ofJob(lines, job).some((line) => line.error === undefined);

async function record(entries: number): Promise<void> {
  await database.as("service", (client) =>
    client.query(
      "select record_audit_event($1, 'badge.awarded') from generate_series(1, $2::int)",
      [ids.organisationA, entries],
    ),
  );
}

async function unsealed(): Promise<number> {
  const { rows } = await database.superuser.query(
    `select (select count(*) from audit_log)::int
       - (select coalesce(sum(entries), 0) from pgtrail.batch_content)::int as entries`,
  );
  return rows[0].entries;
}

const setAlert = (kind: string, severity: string, payload: object = {}) =>
  database.superuser.query("select pgtrail._set_alert($1, $2, $3, $4)", [
    kind,
    severity,
    payload,
    ids.organisationA,
  ]);

/** A server on loopback that answers with the statuses given, one after the other, then with 204. 0 is no answer. */
async function receiver(...statuses: number[]) {
  const received: { type: string | undefined; method: string | undefined; body: Line }[] = [];
  const server: Server = createServer(async (request, response) => {
    const body = (await json(request)) as Line;
    received.push({ method: request.method, type: request.headers["content-type"], body });
    const status = statuses.shift() ?? 204;
    if (status !== 0) response.writeHead(status).end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  cleanups.push(async () => {
    server.closeAllConnections();
    server.close();
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook?token=hushhush`,
    received,
    async until(count: number): Promise<void> {
      await vi.waitUntil(() => received.length >= count, { timeout: 20_000, interval: 20 });
    },
  };
}

describe("pgtrail worker --once", () => {
  test("seals all there is, maintains, says so and ends", async () => {
    await record(3);
    const { exited, runs } = worker(["--once"]);
    expect(await exited).toBe(0);
    expect(runs()).toEqual([
      { time: expect.any(String), job: "seal", ms: expect.any(Number), result: expect.any(Number) },
      {
        time: expect.any(String),
        job: "maintain",
        ms: expect.any(Number),
        result: expect.objectContaining({ partitions_created: expect.any(Number), defects: 0 }),
      },
    ]);
    expect(runs()[0]?.result).toBeGreaterThanOrEqual(3);
    expect(Number(new Date(runs()[0]?.time as string))).toBeGreaterThan(Date.now() - 60_000);
    const { rows } = await database.superuser.query(
      "select verified_at is not null as verified, exists (select from pgtrail.purge_run) as purged from pgtrail.log",
    );
    expect(rows).toEqual([{ verified: true, purged: true }]);
  });

  test("ends with 1 when a job is refused, and tries the other one", async () => {
    const url = new URL(database.url());
    url.username = "stranger";
    const { exited, runs, output } = worker(["--once"], { DATABASE_URL: url.href });
    expect(await exited).toBe(1);
    for (const [i, job] of ["seal", "maintain"].entries()) {
      expect(runs()[i]).toMatchObject({
        job,
        error: { code: "42501", hint: expect.stringContaining("member of pgtrail_owner") },
      });
    }
    expect(output.stderr).not.toContain("    at ");
  });

  test("ends with 1 and plain words when there is no database", async () => {
    const url = new URL(database.url("migrator"));
    url.pathname = "/nowhere";
    const { exited, output } = worker(["--once"], { DATABASE_URL: url.href });
    expect(await exited).toBe(1);
    expect(output).toEqual({
      stdout: "",
      stderr: expect.stringMatching(/^pgtrail: .*"nowhere" does not exist\n$/),
    });
  });

  test("tells every open alert, and ends with 1 when the webhook takes none", async () => {
    await setAlert("first of once", "critical");
    const hook = await receiver(...Array(100).fill(500));
    const failing = worker(["--once", "--webhook", hook.url]);
    expect(await failing.exited).toBe(1);
    expect(failing.warnings().filter(({ kind }) => kind === "first of once")).toHaveLength(1);
    const { alert } = failing.warnings().find(({ kind }) => kind === "first of once") as Line;
    const tries = ofJob(failing.warnings(), "webhook").filter((line) => line.for === alert);
    expect(tries.map(({ attempt, error }) => [attempt, error?.code])).toEqual([
      [1, "500"],
      [2, "500"],
      [3, "500"],
    ]);
    expect(failing.output.stderr).not.toContain("hushhush");

    const working = await receiver();
    const again = worker(["--once"], { PGTRAIL_ALERT_WEBHOOK: working.url });
    expect(await again.exited).toBe(0);
    expect(working.received.map(({ body }) => body.alert)).toContain(alert);
    expect(again.warnings().filter(({ kind }) => kind === "first of once")).toHaveLength(1);
  });
});

describe("pgtrail worker --once with more than one call takes", () => {
  // Of its own, since maintenance and verify() read all that a log has.
  const own = useDatabase(cluster);

  test("seals until nothing is left", async () => {
    await own.superuser.query(
      "insert into audit_log (organisation_id, action) select $1, 'many' from generate_series(1, 50001)",
      [ids.organisationA],
    );
    const { exited, runs } = worker(["--once"], { DATABASE_URL: own.url("migrator") });
    expect(await exited).toBe(0);
    const sealed = ofJob(runs(), "seal").map(({ result }) => result);
    expect(sealed.length).toBe(2);
    expect(sealed[0]).toBe(50_000);
    expect(sealed[1]).toBeGreaterThan(0);
  });
});

describe("pgtrail worker", () => {
  test("does both jobs at the start and again and again, until SIGTERM", async () => {
    const running = await startWorker(["--seal-every", "1", "--maintain-every", "2"]);
    await record(2);
    await running.until(
      () =>
        ofJob(running.runs(), "seal").some(({ result }) => Number(result) >= 2) &&
        ofJob(running.runs(), "maintain").length >= 2,
    );
    expect(await running.stop("SIGTERM")).toBe(0);
    expect(running.runs().filter(({ error }) => error)).toEqual([]);
  });

  test("waits between two runs, and not at SIGINT", async () => {
    const running = await startWorker();
    await record(1);
    expect(await running.stop("SIGINT")).toBe(0);
    expect(running.runs().map(({ job }) => job)).toEqual(["seal", "maintain"]);
    expect(await unsealed()).toBeGreaterThan(0);
  });

  test("finishes the call that is running", async () => {
    const blocker = await database.superuser.connect();
    const running = worker();
    try {
      await blocker.query("begin; select from pgtrail.log for update");
      await vi.waitUntil(async () => (await waiting()) === 1, { timeout: 20_000, interval: 50 });
      const exited = running.stop("SIGTERM");
      await record(1);
      await blocker.query("commit");
      expect(await exited).toBe(0);
    } finally {
      blocker.release();
    }
    expect(running.runs()).toEqual([
      expect.objectContaining({ job: "seal", result: expect.any(Number) }),
    ]);
  });

  test("does not wait for it at the second signal", async () => {
    const blocker = await database.superuser.connect();
    const running = worker();
    try {
      await blocker.query("begin; select from pgtrail.log for update");
      await vi.waitUntil(async () => (await waiting()) === 1, { timeout: 20_000, interval: 50 });
      running.stop("SIGTERM");
      // Two signals within half a second count as one.
      const hurry = setInterval(() => void running.stop("SIGTERM"), 200);
      expect(await running.exited).toBe(0);
      clearInterval(hurry);
      expect(running.runs()).toEqual([
        expect.objectContaining({ job: "seal", error: expect.objectContaining({ code: null }) }),
      ]);
    } finally {
      await blocker.query("rollback");
      blocker.release();
    }
  });

  test("goes on after a job was refused", async () => {
    await database.superuser.query(
      "alter function pgtrail.maintain(timestamptz) rename to maintain_away",
    );
    const running = worker(["--seal-every", "1", "--maintain-every", "1"]);
    try {
      await running.until(() => ofJob(running.runs(), "maintain").length >= 2);
      expect(ofJob(running.runs(), "maintain")[0]?.error).toEqual({
        code: "42883",
        message: expect.stringContaining("pgtrail.maintain() does not exist"),
        hint: expect.any(String),
      });
    } finally {
      await database.superuser.query(
        "alter function pgtrail.maintain_away(timestamptz) rename to maintain",
      );
    }
    await running.until(() => hasRun(running.runs(), "maintain"));
    expect(hasRun(running.runs(), "seal")).toBe(true);
    expect(await running.stop()).toBe(0);
  });

  test("survives a server that is stopped and started again", async () => {
    const running = await startWorker(["--seal-every", "1"]);
    await cluster.cluster.stop("immediate");
    const tries = () => ofJob(running.warnings(), "connection");
    await running.until(() => tries().length >= 2);
    expect(tries()[0]?.error?.message).toBe("the connection to the database was lost");
    expect(tries()[1]).toEqual({
      time: expect.any(String),
      job: "connection",
      error: {
        code: "ECONNREFUSED",
        message: expect.stringContaining("no Postgres listens"),
        hint: expect.any(String),
      },
      retry_ms: 2000,
    });
    // It is stopped already; what is left is to start it.
    await cluster.crash();
    await record(2);
    await setAlert("after the crash", "warning");
    await running.until(
      () =>
        ofJob(running.runs(), "seal").some(({ result }) => Number(result) >= 2) &&
        running.warnings().some(({ kind }) => kind === "after the crash"),
    );
    expect(await running.stop()).toBe(0);
  });

  test("waits for a server that is not there yet", async () => {
    const running = worker([], { DATABASE_URL: "postgresql://nobody@127.0.0.1:1/nowhere" });
    await running.until(() => running.warnings().length >= 2);
    expect(running.warnings().map(({ retry_ms }) => retry_ms)).toEqual([1000, 2000]);
    expect(await running.stop()).toBe(0);
    expect(running.output.stdout).toBe("");
  });

  test("two at once do the work once, and neither fails", async () => {
    await record(500);
    const before = await unsealed();
    const pair = [worker(), worker()];
    await Promise.all(
      pair.map((each) =>
        each.until(() => ["seal", "maintain"].every((job) => hasRun(each.runs(), job))),
      ),
    );
    for (const each of pair) expect(await each.stop()).toBe(0);
    const runs = pair.flatMap((each) => each.runs());
    expect(runs.filter(({ error }) => error)).toEqual([]);
    const sealed = ofJob(runs, "seal").map(({ result }) => Number(result));
    // maintain() of one may leave an entry about itself to be sealed by the other.
    expect(sealed.reduce((sum, each) => sum + each)).toBeGreaterThanOrEqual(before);
    const { rows } = await database.superuser.query("select * from pgtrail.verify()");
    expect(rows).toEqual([]);
  });

  test("leaves maintenance to the other one that is at it", async () => {
    const other = await database.superuser.connect();
    try {
      await other.query(
        "begin; select pg_advisory_xact_lock(hashtextextended('pgtrail.maintain', 0))",
      );
      const running = await startWorker();
      expect(ofJob(running.runs(), "maintain")[0]?.result).toEqual({
        skipped: "another session is at it",
      });
      expect(await running.stop()).toBe(0);
    } finally {
      await other.query("rollback");
      other.release();
    }
  });
});

describe("alerts", () => {
  const about = (lines: Line[], kind: string) => lines.filter((line) => line.kind === kind);

  test("reach standard error and the webhook, once and when their severity changes", async () => {
    const hook = await receiver();
    const posted = (kind: string) =>
      about(
        hook.received.map(({ body }) => body),
        kind,
      );
    await setAlert("raised before", "warning", { n: 1 });
    const running = await startWorker(["--seal-every", "1", "--webhook", hook.url]);
    await setAlert("raised meanwhile", "warning", { n: 2 });
    await running.until(() => about(running.warnings(), "raised meanwhile").length === 1);
    // Brought up to date, not raised anew.
    await setAlert("raised meanwhile", "warning", { n: 3 });
    await setAlert("raised meanwhile", "critical", { n: 4 });
    await running.until(() => about(running.warnings(), "raised meanwhile").length === 2);
    const runs = running.runs().length;
    await running.until(() => running.runs().length >= runs + 2);
    expect(await running.stop()).toBe(0);

    const { rows } = await database.superuser.query(
      `select alert_id as alert, severity, kind, organisation_id, payload, raised_at from pgtrail.alert
       where kind like 'raised %' order by kind`,
    );
    const expected = JSON.parse(JSON.stringify(rows));
    expect(about(running.warnings(), "raised before")).toEqual([expected[0]]);
    expect(about(running.warnings(), "raised meanwhile")).toEqual([
      { ...expected[1], severity: "warning", payload: { n: 2 } },
      { ...expected[1], severity: "critical", payload: { n: 4 } },
    ]);
    for (const kind of ["raised before", "raised meanwhile"]) {
      expect(posted(kind)).toEqual(about(running.warnings(), kind));
    }
    expect(hook.received[0]).toMatchObject({ method: "POST", type: "application/json" });
  });

  test("are heard of at once, not at the next run", async () => {
    const running = await startWorker();
    await setAlert("between runs", "critical");
    await running.until(() => about(running.warnings(), "between runs").length === 1);
    expect(running.runs()).toHaveLength(2);
    expect(await running.stop()).toBe(0);
  });

  test("are posted again when the webhook fails", async () => {
    const hook = await receiver(500);
    await setAlert("tried again", "critical");
    await database.superuser.query("delete from pgtrail.alert where kind <> 'tried again'");
    const running = worker(["--webhook", hook.url]);
    await hook.until(2);
    expect(await running.stop()).toBe(0);
    expect(hook.received[0]?.body).toMatchObject({ kind: "tried again" });
    expect(
      about(
        hook.received.map(({ body }) => body),
        "tried again",
      ),
    ).toHaveLength(2);
    expect(ofJob(running.warnings(), "webhook")).toEqual([
      {
        time: expect.any(String),
        job: "webhook",
        for: hook.received[0]?.body.alert,
        attempt: 1,
        error: { code: "500", message: "the webhook answered 500" },
      },
    ]);
  });

  test("are posted with later runs as long as the webhook is away, and told once", async () => {
    const hook = await receiver(...Array(100).fill(503));
    await setAlert("at last", "critical");
    const running = worker(["--webhook", hook.url, "--seal-every", "1"]);
    const posted = () => hook.received.filter(({ body }) => body.kind === "at last");
    // Three at first.
    await vi.waitUntil(() => posted().length > 3, { timeout: 20_000, interval: 20 });
    expect(await running.stop()).toBe(0);
    expect(about(running.warnings(), "at last")).toHaveLength(1);
  });

  test("hold up neither the jobs nor the end when the webhook never answers", async () => {
    const hook = await receiver(...Array(100).fill(0));
    await setAlert("no answer", "critical");
    const running = worker(["--webhook", hook.url, "--seal-every", "1"]);
    await hook.until(1);
    await running.until(() => ofJob(running.runs(), "seal").length >= 3);
    // On a busy machine the first one has been given up by now, and this one has not.
    await setAlert("no answer to this", "critical");
    const posted = () => hook.received.find(({ body }) => body.kind === "no answer to this");
    await vi.waitUntil(posted, { timeout: 20_000, interval: 20 });
    expect(await running.stop()).toBe(0);
    const tries = ofJob(running.warnings(), "webhook");
    expect(tries.find((line) => line.for === posted()?.body.alert)?.error).toEqual({
      code: null,
      message: "the worker was stopped meanwhile",
    });
  });

  test("that nobody accepts are told on standard error all the same", async () => {
    const closed = `http://127.0.0.1:${await freePort()}/`;
    const running = await startWorker(["--webhook", closed, "--seal-every", "1"]);
    await setAlert("to nobody", "warning");
    await running.until(
      () =>
        about(running.warnings(), "to nobody").length === 1 &&
        ofJob(running.warnings(), "webhook").some(({ attempt }) => attempt === 3),
    );
    expect(ofJob(running.warnings(), "webhook")[0]?.error).toEqual({
      code: "ECONNREFUSED",
      message: "the webhook cannot be reached",
    });
    expect(await running.stop()).toBe(0);
  });
});

describe("wrong usage ends with 2:", () => {
  test.each([
    ["an unknown option", ["--nope"], "unknown option '--nope'"],
    ["a pace that is none", ["--seal-every", "soon"], "seconds from 1 to 604800"],
    ["a pace of 0", ["--maintain-every", "0"], "seconds from 1 to 604800"],
    ["a webhook that is none", ["--webhook", "example.org"], "starts with https://"],
    ["a webhook with a password", ["--webhook", "https://a:b@example.org"], "without a user"],
    ["a URL that is none", ["--database-url", "nonsense"], "the database URL is not one"],
  ])("%s", async (_, args, message) => {
    const { exited, output } = worker(args);
    expect(await exited).toBe(2);
    expect(output).toEqual({ stdout: "", stderr: expect.stringContaining(message) });
    expect(output.stderr).not.toMatch(/\n +at /);
  });

  test("an empty PGTRAIL_ALERT_WEBHOOK is none", async () => {
    expect(await worker(["--once"], { PGTRAIL_ALERT_WEBHOOK: "" }).exited).toBe(0);
  });
});

/** Sessions of workers that wait for a lock. */
async function waiting(): Promise<number> {
  const { rows } = await database.superuser.query(
    `select count(*)::int as waiting from pg_stat_activity
     where datname = current_database() and application_name = 'pgtrail' and wait_event_type = 'Lock'`,
  );
  return rows[0].waiting;
}
