import { spawn } from "node:child_process";
import { once } from "node:events";
import * as nodeFs from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { v7 } from "uuid";
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { projectRoot } from "../../scripts/lib/files.js";
import {
  openSpool,
  type Spool,
  type SpoolFileSystem,
  type SpoolOptions,
} from "../../src/writer/spool.js";
import type { AuditEntry } from "../../src/writer/types.js";
import { entryWith } from "../harness/entries.js";

let directory: string;
const opened: Spool[] = [];

beforeEach(async () => {
  directory = join(await nodeFs.mkdtemp(join(tmpdir(), "pgtrail-test-")), "spool");
});

afterEach(async () => {
  for (const spool of opened.splice(0)) await spool.close();
  await nodeFs.rm(join(directory, ".."), { recursive: true, force: true });
});

async function open(options: Partial<SpoolOptions> = {}): Promise<Spool> {
  const spool = await openSpool({ directory, fsync: "never", ...options });
  opened.push(spool);
  return spool;
}

const files = () => nodeFs.readdir(directory);
const entries = (count: number) => Array.from({ length: count }, () => entryWith(v7()));
const idsOf = (list: AuditEntry[]) => list.map(({ id }) => id);

async function recovered(spool: Spool): Promise<AuditEntry[]> {
  const list: AuditEntry[] = [];
  for await (const entry of spool.recover()) list.push(entry);
  return list;
}

async function fill(spool: Spool, list: AuditEntry[]): Promise<void> {
  const results = await Promise.all(list.map((entry) => spool.append(entry)));
  expect(results).toEqual(list.map(() => ({ status: "spooled" })));
}

/** A file as a process left it that is no more. */
async function leave(lines: string, owner = `999999999.1.${encodeURIComponent(hostname())}`) {
  await nodeFs.mkdir(directory, { recursive: true });
  const path = join(directory, `019a7b2e-0000-7000-8000-000000000001.${owner}.ndjson`);
  await nodeFs.writeFile(path, lines);
  return path;
}

const text = (list: AuditEntry[]) => list.map((entry) => `${JSON.stringify(entry)}\n`).join("");

/** Node's file system, but with handles whose methods fail while the test says so. */
function failing(method: "appendFile" | "datasync") {
  const failure = { code: undefined as string | undefined, partly: false };
  const fs: SpoolFileSystem = {
    ...nodeFs,
    async open(...args: Parameters<typeof nodeFs.open>) {
      const handle = await nodeFs.open(...args);
      const original = handle[method].bind(handle) as (data?: unknown) => Promise<void>;
      Object.assign(handle, {
        async [method](data?: Buffer) {
          if (failure.code === undefined) return original(data);
          if (failure.partly && data) await original(data.subarray(0, data.length >> 1));
          throw Object.assign(new Error(`${failure.code}: injected`), { code: failure.code });
        },
      });
      return handle;
    },
  };
  return { fs, failure };
}

describe("append", () => {
  test("writes an entry a line, readable by nobody else", async () => {
    const spool = await open();
    const list = entries(3);
    await fill(spool, list);
    const [name = "", ...others] = await files();
    expect(others).toEqual([]);
    expect(await nodeFs.readFile(join(directory, name), "utf8")).toBe(text(list));
    expect((await nodeFs.stat(join(directory, name))).mode & 0o777).toBe(0o600);
    expect((await nodeFs.stat(directory)).mode & 0o777).toBe(0o700);
    expect(spool.stats()).toEqual({ files: 1, entries: 3, bytes: Buffer.byteLength(text(list)) });
  });

  test("takes the JSON that the caller has already", async () => {
    const spool = await open();
    const entry = entryWith(v7());
    await spool.append(entry, JSON.stringify({ ...entry, action: "as.given" }));
    await spool.close();
    expect(await recovered(await open())).toMatchObject([{ id: entry.id, action: "as.given" }]);
  });

  test("begins another file when one is large enough", async () => {
    const spool = await open({ maxFileBytes: 1000 });
    const list = entries(10);
    for (const entry of list) await fill(spool, [entry]);
    const sizes = await Promise.all(
      (await files()).map(async (name) => (await nodeFs.stat(join(directory, name))).size),
    );
    expect(sizes.length).toBeGreaterThan(2);
    expect(Math.max(...sizes)).toBeLessThan(1000 + Buffer.byteLength(text(list.slice(0, 1))));
  });

  test.each([
    ["always", 1],
    ["never", 0],
  ] as const)("with fsync %s flushes %i times before it resolves", async (fsync, times) => {
    let flushes = 0;
    const fs: SpoolFileSystem = {
      ...nodeFs,
      async open(...args: Parameters<typeof nodeFs.open>) {
        const handle = await nodeFs.open(...args);
        const original = handle.datasync.bind(handle);
        return Object.assign(handle, {
          datasync() {
            flushes += 1;
            return original();
          },
        });
      },
    };
    const spool = await open({ fsync, fs });
    await fill(spool, entries(50));
    expect(flushes).toBe(times);
  });
});

describe("when there is no room", () => {
  test("an entry is refused with the reason, until others are settled", async () => {
    const list = entries(4);
    const spool = await open({ maxBytes: Buffer.byteLength(text(list.slice(0, 3))) });
    const results = await Promise.all(list.map((entry) => spool.append(entry)));
    expect(results.map(({ status }) => status)).toEqual([
      "spooled",
      "spooled",
      "spooled",
      "refused",
    ]);
    expect(results[3]).toMatchObject({
      reason: expect.stringMatching(/^the spool is full: \d+ bytes$/),
    });
    await spool.settled(idsOf(list.slice(0, 3)));
    await fill(spool, list.slice(3));
  });

  test("files of others count", async () => {
    const list = entries(3);
    await leave(text(list.slice(0, 2)));
    const spool = await open({ maxBytes: Buffer.byteLength(text(list)) - 1 });
    expect(await spool.append(list[2] as AuditEntry)).toMatchObject({ status: "refused" });
    await spool.settled(idsOf(await recovered(spool)));
    await fill(spool, list.slice(2));
  });

  test.each([
    { what: "nothing written", partly: false },
    { what: "half a line written", partly: true },
  ])("on the disk, it is refused and not recovered later: $what", async ({ partly }) => {
    const { fs, failure } = failing("appendFile");
    const spool = await open({ fs });
    const list = entries(3);
    await fill(spool, list.slice(0, 1));
    Object.assign(failure, { code: "ENOSPC", partly });
    expect(await spool.append(list[1] as AuditEntry)).toEqual({
      status: "refused",
      reason: "cannot write to the spool: ENOSPC: injected",
    });
    failure.code = undefined;
    await fill(spool, list.slice(2));
    await spool.close();
    expect(idsOf(await recovered(await open()))).toEqual(idsOf([list[0], list[2]] as AuditEntry[]));
    expect((await files()).filter((name) => name.endsWith(".damaged"))).toEqual([]);
  });

  test("a disk that cannot flush refuses what must be flushed", async () => {
    const { fs, failure } = failing("datasync");
    const spool = await open({ fs, fsync: "always", onError: () => {} });
    const list = entries(1);
    await fill(spool, list);
    failure.code = "EIO";
    expect(await spool.append(entryWith(v7()))).toMatchObject({ status: "refused" });
    failure.code = undefined;
    await spool.close();
    expect(await recovered(await open())).toEqual(list);
  });

  test("a directory that cannot be made is an error with a hint", async () => {
    await nodeFs.writeFile(directory, "a file");
    await expect(openSpool({ directory })).rejects.toMatchObject({
      name: "UserError",
      message: expect.stringMatching(/^cannot use the spool /),
      hint: expect.any(String),
    });
  });
});

describe("settled", () => {
  test("deletes a file when none of its entries is left, and not before", async () => {
    const spool = await open();
    const list = entries(3);
    await fill(spool, list);
    await spool.settled(idsOf(list.slice(0, 2)));
    expect(await files()).toHaveLength(1);
    await spool.settled([v7(), ...idsOf(list.slice(2))]);
    expect(await files()).toEqual([]);
    expect(spool.stats()).toEqual({ files: 0, entries: 0, bytes: 0 });
    await fill(spool, entries(1));
    expect(await files()).toHaveLength(1);
  });

  test("of one file leaves the others", async () => {
    const spool = await open({ maxFileBytes: 1 });
    const list = entries(3);
    await fill(spool, list);
    expect(await files()).toHaveLength(3);
    await spool.settled(idsOf(list.slice(1, 2)));
    await spool.close();
    expect(idsOf(await recovered(await open()))).toEqual(idsOf([list[0], list[2]] as AuditEntry[]));
  });

  test("at once with append settles what is being appended", async () => {
    const spool = await open();
    const entry = entryWith(v7());
    const appended = spool.append(entry);
    await spool.settled([entry.id]);
    expect(await appended).toEqual({ status: "spooled" });
    expect(await files()).toEqual([]);
  });
});

describe("recover", () => {
  test("gives what a closed spool left, and deletes it only when it is settled", async () => {
    const first = await open();
    const list = entries(5);
    await fill(first, list);
    await first.close();

    const second = await open();
    expect(await recovered(second)).toEqual(list);
    expect(await files()).toHaveLength(1);
    await second.settled(idsOf(list.slice(0, 4)));
    expect(await files()).toHaveLength(1);
    await second.close();

    // What was settled comes again: its id makes that harmless.
    const third = await open();
    expect(await recovered(third)).toEqual(list);
    await third.settled(idsOf(list));
    expect(await files()).toEqual([]);
  });

  test("leaves out a last line that was cut off", async () => {
    const list = entries(2);
    await leave(text(list) + JSON.stringify(entryWith(v7())).slice(0, 50));
    const spool = await open();
    expect(await recovered(spool)).toEqual(list);
    await spool.settled(idsOf(list));
    expect(await files()).toEqual([]);
  });

  test("keeps a file with another line that it cannot read", async () => {
    const list = entries(2);
    const path = await leave(`${text(list.slice(0, 1))}{"id"\n${text(list.slice(1))}`);
    const contents = await nodeFs.readFile(path, "utf8");
    const spool = await open();
    expect(await recovered(spool)).toEqual(list);
    await spool.settled(idsOf(list));
    const [name = "", ...others] = await files();
    expect(others).toEqual([]);
    expect(name).toMatch(/\.ndjson\.damaged$/);
    expect(await nodeFs.readFile(join(directory, name), "utf8")).toBe(contents);
    expect(await recovered(await open())).toEqual([]);
  });

  test("gives again what is not settled: what it appended, and what it took over before", async () => {
    const [left, own] = [entries(3), entries(30)];
    await leave(text(left));
    const spool = await open({ maxFileBytes: 2000 });
    await fill(spool, own);
    expect(await recovered(spool)).toEqual([...left, ...own]);
    await spool.settled(idsOf([...left.slice(0, 2), ...own.slice(0, 29)]));
    const last = entries(1);
    await fill(spool, last);
    const rest = [...own.slice(29), ...last, ...left.slice(2)];
    expect(idsOf(await recovered(spool)).sort()).toEqual(idsOf(rest).sort());
    await spool.settled(idsOf([...left, ...own, ...last]));
    expect(await recovered(spool)).toEqual([]);
    expect(await files()).toEqual([]);
  });

  test("leaves out what is settled while it gives it", async () => {
    const list = entries(3);
    const spool = await open();
    await fill(spool, list);
    const given: AuditEntry[] = [];
    for await (const entry of spool.recover()) {
      given.push(entry);
      await spool.settled(idsOf(list.slice(0, 2)));
    }
    expect(given).toEqual([list[0], list[2]]);
  });

  test("deletes a file without entries", async () => {
    await leave("");
    expect(await recovered(await open())).toEqual([]);
    expect(await files()).toEqual([]);
  });

  test("leaves alone files of processes that live, and what is none of its own", async () => {
    const other = await open();
    await fill(other, entries(1));
    await nodeFs.writeFile(join(directory, "notes.ndjson"), text(entries(1)));
    expect(await recovered(await open())).toEqual([]);
    expect(await files()).toHaveLength(2);
  });

  test("takes the file of a process whose pid another one has by now", async () => {
    const list = entries(1);
    await leave(text(list), `${process.pid}.1.${encodeURIComponent(hostname())}`);
    expect(await recovered(await open())).toEqual(list);
  });

  test("takes the file of another host once nobody has touched it for a while", async () => {
    const list = entries(1);
    const path = await leave(text(list), "7.7.elsewhere");
    const spool = await open();
    expect(await recovered(spool)).toEqual([]);
    const before = new Date(Date.now() - 61_000);
    await nodeFs.utimes(path, before, before);
    expect(await recovered(spool)).toEqual(list);
  });

  test("gives each entry to one of those who recover at once", async () => {
    const list = entries(40);
    const first = await open({ maxFileBytes: 1 });
    await fill(first, list);
    await first.close();
    const spools = await Promise.all([open(), open(), open()]);
    const parts = await Promise.all(spools.map(recovered));
    expect(idsOf(parts.flat()).sort()).toEqual(idsOf(list).sort());
  });
});

describe("close", () => {
  test("refuses what comes later, and may be called again", async () => {
    const spool = await open();
    await spool.close();
    await spool.close();
    expect(await spool.append(entryWith(v7()))).toEqual({
      status: "refused",
      reason: "the spool is closed",
    });
  });

  test("waits for what is being appended", async () => {
    const spool = await open();
    const list = entries(20);
    const appended = Promise.all(list.map((entry) => spool.append(entry)));
    await spool.close();
    expect(new Set((await appended).map(({ status }) => status))).toEqual(new Set(["spooled"]));
    expect(await recovered(await open())).toEqual(list);
  });
});

describe("what goes wrong beside a call is told", () => {
  /** A file system of which one call fails. */
  const without = (name: keyof SpoolFileSystem, code = "EACCES"): SpoolFileSystem => ({
    ...nodeFs,
    [name]: async () => {
      throw Object.assign(new Error(`${code}: injected`), { code });
    },
  });

  async function openTold(fs: SpoolFileSystem, options: Partial<SpoolOptions> = {}) {
    const errors: string[] = [];
    const spool = await open({ fs, onError: ({ message }) => errors.push(message), ...options });
    return { spool, errors };
  }

  test("a file that cannot be deleted, and is recovered again", async () => {
    const { spool, errors } = await openTold(without("unlink"));
    const list = entries(1);
    await fill(spool, list);
    await spool.settled(idsOf(list));
    expect(errors).toEqual(["EACCES: injected"]);
    await spool.close();
    await leave(text(list));
    expect(await recovered(await open())).toEqual(list);
  });

  test("a file that is gone already is no matter", async () => {
    const { spool, errors } = await openTold(without("unlink", "ENOENT"));
    const list = entries(1);
    await fill(spool, list);
    await spool.settled(idsOf(list));
    expect(errors).toEqual([]);
  });

  test.each(["rename", "readFile"] as const)(
    "a file of others on which %s fails, left for one that can",
    async (call) => {
      const list = entries(2);
      await leave(text(list));
      const { spool, errors } = await openTold(without(call));
      expect(await recovered(spool)).toEqual([]);
      expect(errors).toEqual(["EACCES: injected"]);
      await spool.close();
      if (call === "readFile") {
        // It has this process's name now, and this process is alive.
        const [name = ""] = await files();
        await nodeFs.rename(join(directory, name), await leave(""));
      }
      expect(await recovered(await open())).toEqual(list);
    },
  );

  test("a disk that cannot flush later", async () => {
    const { fs, failure } = failing("datasync");
    failure.code = "EIO";
    const { spool, errors } = await openTold(fs, { fsync: "interval" });
    await fill(spool, entries(1));
    await expect.poll(() => errors).toEqual(["EIO: injected"]);
  });

  test("a directory that cannot be read, on standard error when nobody else is told", async () => {
    const fs = { ...nodeFs };
    const write = vi.spyOn(process.stderr, "write").mockReturnValue(true);
    vi.useFakeTimers({ toFake: ["setInterval"] });
    onTestFinished(() => {
      vi.useRealTimers();
      write.mockRestore();
    });
    const spool = await open({ fs });
    fs.readdir = without("readdir").readdir;
    await expect(recovered(spool)).rejects.toMatchObject({
      name: "UserError",
      message: expect.stringMatching(/^cannot read the spool .*: EACCES: injected$/),
    });
    vi.advanceTimersByTime(10_000);
    await spool.settled([]);
    const lines = write.mock.calls.map(([line]) => JSON.parse(String(line)));
    expect(lines).toEqual([
      {
        timestamp: expect.stringMatching(/^\d{4}-.*Z$/),
        type: "audit_spool_failed",
        message: "[AUDIT] Spool failed",
        error: "EACCES: injected",
      },
    ]);
  });

  test("to somebody whose own error is not the spool's", async () => {
    const fs = without("unlink");
    const spool = await open({
      fs,
      onError: () => {
        throw new Error("mine");
      },
    });
    const list = entries(1);
    await fill(spool, list);
    await spool.settled(idsOf(list));
    await fill(spool, entries(1));
  });
});

test.each(["always", "never"])(
  "after kill -9, what was said to be spooled is recovered (fsync %s)",
  async (fsync) => {
    const children = [0, 1].map(() => {
      const child = spawn(
        process.execPath,
        ["--import", "tsx", "tests/integration/spool_process.ts", directory, fsync],
        { cwd: projectRoot, stdio: ["ignore", "pipe", "inherit"] },
      );
      onTestFinished(() => void child.kill("SIGKILL"));
      const output = { text: "" };
      child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
        output.text += chunk;
        child.emit("output");
      });
      return { child, output, closed: once(child, "close") };
    });

    const spool = await open();
    for (const { child, output, closed } of children) {
      while (output.text.length < 300 * 37) {
        const ended = await Promise.race([once(child, "output").then(() => false), closed]);
        if (ended) throw new Error("it ended");
      }
    }
    // While they live, their files are theirs.
    expect(await recovered(spool)).toEqual([]);
    for (const { child, closed } of children) {
      child.kill("SIGKILL");
      await closed;
    }

    const acknowledged = children.flatMap(({ output }) => output.text.split("\n").slice(0, -1));
    const list = await recovered(spool);
    const found = new Set(idsOf(list));
    expect(acknowledged.filter((id) => !found.has(id))).toEqual([]);
    // Of each process one may have been written before it could be told.
    expect(list.length).toBeLessThanOrEqual(acknowledged.length + children.length);
    expect(list[0]).toEqual(entryWith(list[0]?.id ?? ""));
    await spool.settled(idsOf(list));
    expect(await files()).toEqual([]);
  },
);
