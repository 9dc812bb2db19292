import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import pg from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { projectRoot } from "../../scripts/lib/files.js";
import {
  type AuditWriter,
  createAuditWriter,
  type FailureLine,
  type LogResult,
  type WriterMetrics,
} from "../../src/index.js";
import { type Fault, type FaultProxy, startFaultProxy } from "../harness/fault_proxy.js";
import { ids, useCluster, useDatabase } from "../harness/index.js";

/*
 * A writer under load, something that goes wrong, and its end: nothing of it reaches the
 * application, and every event is in the trail or in a line from which it can be replayed.
 */

const MAX_CONNECTIONS = 30;
const MAX_ENTRIES = 100;

// What a killed process wrote is with the system, which goes on: nothing needs the disk.
const cluster = useCluster({ fsync: "off", max_connections: String(MAX_CONNECTIONS) });
const database = useDatabase(cluster);

/** Something that goes wrong, and how it is mended. */
interface Outage {
  begin(): Promise<unknown>;
  end(): Promise<unknown>;
  /** Events that must fail before it ends: by default more than the buffer holds. */
  failures?: number;
}

let directory: string;
let proxy: FaultProxy;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "pgtrail-outage-"));
});
afterAll(() => rm(directory, { recursive: true, force: true }));
beforeEach(async () => {
  proxy = await startFaultProxy(cluster.cluster.port);
});
afterEach(() => proxy.close());

/** The test's database as an application reaches it: as service_role, on a port. */
function url(port = cluster.cluster.port): string {
  const application = new URL(database.url("authenticator"));
  application.port = String(port);
  application.searchParams.set("options", "-c role=service_role");
  application.searchParams.set("application_name", "application");
  return application.href;
}

const asSuperuser = (text: string) => database.superuser.query(text);

const terminate = () =>
  asSuperuser(
    "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'application'",
  );

/** Repeats something, with a pause for others, until the returned function is called. */
function repeat(work: () => unknown): () => Promise<void> {
  let running = true;
  const loop = (async () => {
    while (running) {
      await work();
      await delay(10);
    }
  })();
  return async () => {
    running = false;
    await loop;
  };
}

/** An outage during which something is done again and again. Between two times, writing may work. */
function repeated(work: () => unknown): Outage {
  let stop: (() => Promise<void>) | undefined;
  return {
    async begin() {
      stop = repeat(work);
    },
    end: async () => stop?.(),
    failures: 10,
  };
}

/** Takes every connection that somebody but a superuser may have. */
function exhaustion(): Outage {
  const taken: pg.Client[] = [];
  async function takeAll(): Promise<void> {
    for (;;) {
      const client = new pg.Client({ connectionString: database.url("migrator") });
      client.on("error", () => {});
      try {
        await client.connect();
      } catch (error) {
        return expect(error).toMatchObject({ code: "53300" });
      }
      taken.push(client);
    }
  }
  return {
    // The application connects again at once, so this takes more than one turn.
    begin: () =>
      vi.waitFor(
        async () => {
          await terminate();
          await takeAll();
          const { rowCount } = await asSuperuser(
            "select from pg_stat_activity where application_name = 'application'",
          );
          expect(rowCount).toBe(0);
        },
        { timeout: 40_000, interval: 1 },
      ),
    end: () => Promise.all(taken.splice(0).map((client) => client.end())),
  };
}

/** Keeps everybody from the table. */
function lock(): Outage {
  let locker: pg.PoolClient | undefined;
  return {
    async begin() {
      locker = await database.superuser.connect();
      await locker.query("begin; lock table public.audit_log in access exclusive mode");
    },
    async end() {
      await locker?.query("rollback");
      locker?.release();
    },
  };
}

const network = (fault: Fault): Outage => ({
  begin: () => proxy.set(fault),
  end: () => proxy.set({ kind: "none" }),
});

const alterDatabase = (change: string) => asSuperuser(`alter database ${database.name} ${change}`);

/** Outages of the server, which the application reaches directly. */
const serverOutages: Record<string, () => Outage> = {
  "kill -9 of the postmaster": () => ({
    begin: () => cluster.stop("kill"),
    end: () => cluster.start(),
  }),
  "a fast shutdown": () => ({ begin: () => cluster.stop("fast"), end: () => cluster.start() }),
  "backends that are terminated all the time": () => repeated(terminate),
  "a locked table": lock,
  "a database that is read-only": () => ({
    begin: () => alterDatabase("set default_transaction_read_only = on").then(terminate),
    // Connections that were made meanwhile stay read-only.
    end: () => alterDatabase("reset default_transaction_read_only"),
  }),
  "no connection left on the server": exhaustion,
  "no connection left for the role": () => ({
    begin: () => asSuperuser("alter role authenticator connection limit 0").then(terminate),
    end: () => asSuperuser("alter role authenticator connection limit -1"),
  }),
  "a full disk (a trigger that raises its error, 53100)": () => ({
    begin: () =>
      asSuperuser(`
        create function public.fill_disk() returns trigger language plpgsql as $$
        begin
            raise 'could not extend file: No space left on device' using errcode = 'disk_full';
        end $$;
        create trigger fill_disk before insert on public.audit_log
            for each row execute function public.fill_disk()`),
    // As inserts do, the table before its partitions: in another order both would wait for each other.
    end: () =>
      asSuperuser(
        "begin; lock table only public.audit_log; drop function public.fill_disk() cascade; commit",
      ),
  }),
};

/** Outages of the network between the two. */
const networkOutages: Record<string, () => Outage> = {
  "connections that are refused": () => ({
    begin: async () => {
      await proxy.set({ kind: "refused" });
      proxy.reset();
    },
    end: () => proxy.set({ kind: "none" }),
  }),
  "connections that are reset all the time": () => repeated(() => proxy.reset()),
  "a black hole": () => network({ kind: "black hole" }),
  "answers that are lost": () => network({ kind: "half-open" }),
  "answers that are cut off": () => network({ kind: "cut", bytes: 0 }),
  "answers that come too late": () => network({ kind: "latency", milliseconds: 2000 }),
};

describe("the application notices nothing, and nothing is lost or doubled, through", {
  timeout: 180_000,
}, () => {
  test.each(Object.entries(serverOutages))("%s", (name, outage) => endure(name, outage(), url()));

  test.each(Object.entries(networkOutages))("%s", (name, outage) =>
    endure(name, outage(), url(proxy.port)),
  );
});

async function endure(name: string, outage: Outage, connectionString: string): Promise<void> {
  const pool = new pg.Pool({ connectionString, max: 5, connectionTimeoutMillis: 500 });
  pool.on("error", () => {});
  const lines: string[] = [];
  const writer = createAuditWriter({
    pool,
    buffer: { maxEntries: MAX_ENTRIES },
    budgetMs: 300,
    attemptTimeoutMs: 900,
    backoff: { initialMs: 50, maxMs: 500 },
    logger: (line) => lines.push(line),
  });
  const load = startLoad(writer, name);
  try {
    await untilCalm(writer, lines);
    try {
      await outage.begin();
      await until(() => {
        const { buffered, dropped } = writer.metrics();
        expect(buffered + dropped).toBeGreaterThan(outage.failures ?? 3 * MAX_ENTRIES);
      });
    } finally {
      await outage.end();
    }
    // It recovers under load, and writes what happens then.
    const { written } = writer.metrics();
    await until(() => {
      const metrics = writer.metrics();
      expect(metrics).toMatchObject({ dbAvailable: true, inBuffer: 0 });
      expect(metrics.written).toBeGreaterThan(written + 50);
    });
    const results = await load.stop();
    await until(() => expect(writer.metrics().inBuffer).toBe(0));

    await checkAccount(name, results, lines, writer.metrics());
    if (outage.failures === undefined) expect(writer.metrics().evicted).toBeGreaterThan(0);
    await checkReplay(name, results, lines);
  } finally {
    await load.stop();
    await writer.close();
    await pool.end();
  }
}

const until = (holds: () => void) => vi.waitFor(holds, { timeout: 40_000, interval: 20 });

/**
 * Waits until more than 100 events were written in a row. On a busy machine the first ones, whose
 * connections are new, may take longer than the budget.
 */
async function untilCalm(writer: AuditWriter, lines: readonly string[]): Promise<void> {
  let told = 0;
  let writtenBefore = 0;
  await until(() => {
    const { written } = writer.metrics();
    if (lines.length > told) writtenBefore = written;
    told = lines.length;
    expect(written - writtenBefore).toBeGreaterThan(100);
  });
  // What failed was for want of time: neither the server nor the system has said why.
  expect(lines.filter((line) => JSON.parse(line).code !== null)).toEqual([]);
}

/** About 500 events a second until it is stopped; then what became of each. Raises what log() raises. */
function startLoad(writer: AuditWriter, name: string) {
  const logged: Promise<LogResult>[] = [];
  const timer = setInterval(() => {
    for (let n = 0; n < 5; n++) {
      logged.push(
        writer.log({
          action: "thing.happened",
          organisationId: ids.organisationA,
          entityType: name,
          entityId: String(logged.length),
          details: { text: "snow ☃, a \\ and a line\nbreak" },
        }),
      );
    }
  }, 10);
  return {
    stop(): Promise<LogResult[]> {
      clearInterval(timer);
      return Promise.all(logged);
    },
  };
}

/** Every event is where the writer says that it is. */
async function checkAccount(
  name: string,
  results: LogResult[],
  lines: string[],
  metrics: WriterMetrics,
): Promise<void> {
  const all = new Set(results.map(({ id }) => id));
  expect(all.size).toBe(results.length);
  const told = lines.map((line) => JSON.parse(line) as FailureLine);
  const idsTold = (...statuses: FailureLine["status"][]) =>
    new Set(told.filter((line) => statuses.includes(line.status)).map((line) => line.eventId));
  const given = (status: LogResult["status"]) =>
    results.filter((result) => result.status === status).map(({ id }) => id);

  // Each that was not written when it happened has its line, and it is all that has one.
  expect(told.map((line) => line.type)).toEqual(told.map(() => "audit_write_failed"));
  expect([...idsTold("buffered")].sort()).toEqual(given("buffered").sort());
  expect([...idsTold("dropped")].sort()).toEqual(given("dropped").sort());
  const evicted = idsTold("evicted");
  expect([...evicted].filter((id) => !idsTold("buffered").has(id))).toEqual([]);

  // The counts are those of the lines and of the answers.
  expect(metrics).toMatchObject({
    written: given("written").length,
    buffered: given("buffered").length,
    flushed: given("buffered").length - evicted.size,
    dropped: given("dropped").length,
    evicted: evicted.size,
    inBuffer: 0,
    bufferBytes: 0,
    oldestBufferedMs: null,
  });
  expect(metrics.buffered).toBeGreaterThan(0);

  // What was acknowledged is in the trail, once; of the rest nothing that the application did not log.
  const kept = await entriesOf(name);
  expect(new Set(kept).size).toBe(kept.length);
  expect(kept.filter((id) => !all.has(id))).toEqual([]);
  const lost = new Set([...evicted, ...given("dropped")]);
  const missing = [...all].filter((id) => !kept.includes(id) && !lost.has(id));
  expect(missing).toEqual([]);
}

/** What is not in the trail comes out of the lines, and what is there stays once. */
async function checkReplay(name: string, results: LogResult[], lines: string[]): Promise<void> {
  const file = join(directory, "stderr.log");
  // As it is in life: among the lines of others.
  await writeFile(file, ["listening on port 3000", ...lines, "{}"].map((l) => `${l}\n`).join(""));
  const before = await entriesOf(name);
  const expected = results.map(({ id }) => id).sort();
  const failed = new Set(lines.map((line) => (JSON.parse(line) as FailureLine).eventId)).size;

  const { inserted, alreadyThere } = await replay(file);
  expect(inserted + alreadyThere).toBe(failed);
  // An attempt that was given up may arrive late, and then there is less to restore.
  expect(inserted).toBeLessThanOrEqual(expected.length - before.length);
  expect(await entriesOf(name)).toEqual(expected);
}

/** Ids of the entries of a test, sorted. */
async function entriesOf(name: string): Promise<string[]> {
  const { rows } = await database.superuser.query<{ id: string }>(
    "select id from public.audit_log where entity_type = $1 order by id",
    [name],
  );
  return rows.map(({ id }) => id);
}

/** What `pgtrail replay --json` of a file prints. */
async function replay(file: string): Promise<{ inserted: number; alreadyThere: number }> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ["dist/cli.js", "replay", file, "--json"],
    { cwd: projectRoot, env: { ...process.env, DATABASE_URL: url() } },
  );
  return JSON.parse(stdout);
}
