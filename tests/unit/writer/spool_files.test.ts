import * as nodeFs from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { SpoolFileSystem, SpoolResult } from "../../../src/writer/spool.js";
import { createAppender } from "../../../src/writer/spool_appender.js";
import { createSpoolFiles } from "../../../src/writer/spool_files.js";
import { nameOf, ownerOf, thisProcess } from "../../../src/writer/spool_owner.js";
import { createQueue } from "../../../src/writer/spool_queue.js";
import { recoverEntries } from "../../../src/writer/spool_recovery.js";
import { entryWith } from "../../harness/entries.js";

let directory: string;

beforeEach(async () => {
  directory = await nodeFs.mkdtemp(join(tmpdir(), "pgtrail-test-"));
});

afterEach(() => nodeFs.rm(directory, { recursive: true, force: true }));

const self = await thisProcess();
const nobody = { ...self, pid: 0 };

function setUp(fs: SpoolFileSystem = nodeFs, fsync: "always" | "never" = "never") {
  const errors: unknown[] = [];
  const onError = (error: unknown) => void errors.push(error);
  const files = createSpoolFiles({ directory, self, fs, fsync, onError });
  return { files, errors, onError };
}

const names = () => nodeFs.readdir(directory);
const lineOf = (id: string) => `${JSON.stringify(entryWith(id))}\n`;

async function leave(lines: string): Promise<string> {
  const name = nameOf(nobody);
  await nodeFs.writeFile(join(directory, name), lines);
  return name;
}

describe("a file", () => {
  test("is open until it is sealed, and deleted when all of its entries are settled", async () => {
    const { files } = setUp();
    const { file } = await files.create();
    expect(file.state.name).toBe("open");
    for (const id of ["a", "b"]) file.ids.add(id);
    await files.seal(file);
    expect(file.state).toEqual({ name: "complete", damaged: false });
    await files.settle(["a"]);
    expect(await names()).toHaveLength(1);
    await files.settle(["b"]);
    expect([files.own.size, await names()]).toEqual([0, []]);
  });

  test("that is open is sealed when all of its entries are settled", async () => {
    const { files } = setUp();
    const { file } = await files.create();
    file.ids.add("a");
    await files.settle(["a"]);
    expect([file.state.name, await names()]).toEqual(["complete", []]);
  });

  test("whose name cannot be flushed is not left open", async () => {
    const fs: SpoolFileSystem = {
      ...nodeFs,
      async open(...args: Parameters<typeof nodeFs.open>) {
        const handle = await nodeFs.open(...args);
        if (args[0] === directory) handle.sync = () => Promise.reject(new Error("EINVAL"));
        return handle;
      },
    };
    const { files } = setUp(fs, "always");
    await expect(files.create()).rejects.toThrow("EINVAL");
    expect([files.own.size, await names()]).toEqual([0, []]);
  });

  test("of another is taken over, stays until it is known, and is set aside when damaged", async () => {
    const { files } = setUp();
    const name = await leave(lineOf("a"));
    await files.measureOthers();
    expect(files.othersBytes).toBe(Buffer.byteLength(lineOf("a")));
    const file = await files.takeOver(name);
    if (!file) throw new Error("not taken over");
    expect([file.state.name, files.othersBytes]).toEqual(["taken", 0]);
    expect(await files.takeOver(name)).toBeUndefined();
    await files.removeIfSettled(file);
    expect(await names()).toHaveLength(1);
    file.state = { name: "complete", damaged: true };
    await files.removeIfSettled(file);
    expect(await names()).toEqual([expect.stringMatching(/\.ndjson\.damaged$/)]);
  });

  test("is nobody's after it was released", async () => {
    const { files } = setUp();
    const { file } = await files.create();
    file.ids.add("a");
    await files.seal(file);
    await files.release();
    expect((await names()).map(ownerOf)).toEqual([nobody]);
  });
});

test("an appender fills one file after the other, and settles each line", async () => {
  const { files } = setUp();
  const { append, seal } = createAppender(files, "never", 250);
  const results: SpoolResult[] = [];
  const settle = (result: SpoolResult) => void results.push(result);
  const lines = ["a", "b", "c", "d", "e"].map((id) => {
    return { id, bytes: Buffer.from(`${id.repeat(99)}\n`), settle };
  });
  await append(lines);
  await seal();
  expect(results).toEqual(lines.map(() => ({ status: "spooled" })));
  expect([...files.own].map(({ ids, bytes }) => [[...ids].join(""), bytes])).toEqual([
    ["abc", 300],
    ["de", 200],
  ]);
});

test("recovery gives what nobody has, then what is not settled of one's own, and nothing twice", async () => {
  const { files, onError } = setUp();
  const queue = createQueue<never>(async () => {}, onError);
  const recovered = async () => {
    const ids: string[] = [];
    for await (const { id } of recoverEntries({ files, queue, onError })) ids.push(id);
    return ids;
  };
  await leave(`${lineOf("a")}${lineOf("b")}{"id": "cut o`);
  expect(await recovered()).toEqual(["a", "b"]);
  await files.settle(["a"]);
  expect(await recovered()).toEqual(["b"]);
  await files.settle(["b"]);
  expect(await recovered()).toEqual([]);
  expect(await names()).toEqual([]);
});
