import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { projectRoot } from "../../scripts/lib/files.js";
import { useDatabase } from "../harness/index.js";

const database = useDatabase();
let directory: string;

beforeEach(async () => {
  directory = join(await mkdtemp(join(tmpdir(), "pgtrail-test-")), "spool");
});

afterEach(() => rm(join(directory, ".."), { recursive: true, force: true }));

/** A process with a writer, and what it has printed. */
function start(connectionString: string, events: number) {
  const child = spawn(
    process.execPath,
    [
      ...["--import", "tsx", "tests/integration/writer_process.ts"],
      ...[directory, connectionString, String(events)],
    ],
    { cwd: projectRoot, stdio: ["ignore", "pipe", "inherit"] },
  );
  onTestFinished(() => void child.kill("SIGKILL"));
  const printed = { text: "" };
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    printed.text += chunk;
  });
  const closed = once(child, "close");
  return {
    lines: () => printed.text.split("\n").slice(0, -1),
    async kill() {
      child.kill("SIGKILL");
      await closed;
    },
  };
}

/** Ids of the entries, in the order of the database's clock. */
async function storedIds(): Promise<string[]> {
  const { rows } = await database.superuser.query(
    "select id from public.audit_log where action = 'test.logged' order by recorded_at, id",
  );
  return rows.map(({ id }) => id);
}

function connectionString(): string {
  const url = new URL(database.url("authenticator"));
  url.searchParams.set("options", "-c role=service_role");
  return url.toString();
}

const away = "postgresql://nobody@127.0.0.1:1/none";

test("after kill -9 while the database was away, another process writes all of it, once", async () => {
  const first = start(away, 1_000_000);
  await vi.waitFor(() => expect(first.lines().length).toBeGreaterThan(300), { timeout: 20_000 });
  await first.kill();
  const told = first.lines().map((line) => line.split(" "));
  expect(new Set(told.map(([, status]) => status))).toEqual(new Set(["buffered"]));
  expect(await storedIds()).toEqual([]);

  // It is killed as well, in the midst of it or not; what it has settled need not come again.
  const second = start(connectionString(), 0);
  await vi.waitFor(async () => expect(await storedIds()).not.toEqual([]), { timeout: 20_000 });
  await second.kill();

  const third = start(connectionString(), 5);
  await vi.waitFor(
    async () => {
      expect(third.lines()).toHaveLength(5);
      expect(await readdir(directory)).toEqual([]);
    },
    { timeout: 20_000 },
  );
  await third.kill();
  const stored = await storedIds();
  const wanted = [...told, ...third.lines().map((line) => line.split(" "))].map(([id]) => id);
  expect(wanted.filter((id) => !stored.includes(id as string))).toEqual([]);
  expect(new Set(stored).size).toBe(stored.length);
  // Of the first, one may have been on disk before it could be told.
  expect(stored.length).toBeLessThanOrEqual(wanted.length + 1);
});
