import { describe, expect, test } from "vitest";
import { createDisk } from "../../../src/writer/disk.js";
import { closed } from "../../../src/writer/failures.js";
import { createItems } from "../../../src/writer/items.js";
import type { Failure, LogResult } from "../../../src/writer/types.js";
import { entryWith } from "../../harness/entries.js";
import { createTestClock, settled } from "./clock.js";
import { noCounts } from "./counts.js";
import { createFakeSpool } from "./fake_spool.js";

const away: Failure = { kind: "transient", code: null, message: "away" };
const refused: Failure = { kind: "permanent", code: "22P02", message: "refused" };

function setUp({ maxEntries = 2, isTold = true } = {}) {
  const clock = createTestClock();
  const counts = noCounts();
  const fake = createFakeSpool();
  const disk = createDisk(fake.spool, counts);
  disk.hasMore = false;
  const told: string[] = [];
  const results: LogResult[] = [];
  let kept = 0;
  const items = createItems(
    {
      clock,
      budgetMs: 100,
      limits: { maxEntries, maxBytes: 1024 * 1024 },
      disk,
      tell({ entry }, { message }, status, payload = true) {
        told.push(`${entry.id} ${status}: ${message}${payload ? "" : ", without payload"}`);
        return isTold;
      },
      onKeep: () => {
        kept += 1;
      },
    },
    counts,
  );
  const wait = (id: string) => items.wait(entryWith(id), (result) => results.push(result));
  const onDisk = () => [...fake.entries.keys()];
  return { clock, counts, fake, disk, told, results, items, wait, onDisk, kept: () => kept };
}

describe("an item that waits", () => {
  test("is done when it is written, and its caller answered", () => {
    const { items, wait, results, counts, told } = setUp();
    const item = wait("a");
    expect(items.waiting.size).toBe(1);
    items.written(item);
    items.written(item);
    items.failed(item, away);
    items.drop(item, refused);
    expect(item.state.name).toBe("done");
    expect(results).toEqual([{ status: "written", id: "a" }]);
    expect(counts).toMatchObject({ written: 1, buffered: 0, dropped: 0 });
    expect(items.waiting.size).toBe(0);
    expect(told).toEqual([]);
  });

  test("is buffered when it fails for now, and its caller answered once it is on disk", async () => {
    const { items, wait, results, onDisk, told, kept } = setUp();
    const item = wait("a");
    items.failed(item, away);
    expect(item.state).toEqual({ name: "buffered", failure: away, told: true });
    expect(results).toEqual([]);
    await settled();
    expect(results).toEqual([{ status: "buffered", reason: "away", id: "a" }]);
    expect([items.buffer.size, onDisk(), kept()]).toEqual([1, ["a"], 1]);
    expect(told).toEqual(["a buffered: away"]);
  });

  test("is buffered when its budget is over, and may be written later", async () => {
    const { items, wait, results, clock, counts, onDisk } = setUp();
    const item = wait("a");
    const called: string[] = [];
    items.limit(item, () => called.push(item.state.name));
    await clock.advance(100);
    expect(called).toEqual(["waiting"]);
    expect(results).toMatchObject([{ status: "buffered", reason: "no answer within 100 ms" }]);
    items.written(item);
    await settled();
    expect(counts).toMatchObject({ buffered: 1, flushed: 1, written: 0 });
    expect([items.buffer.size, onDisk()]).toEqual([0, []]);
  });

  test("has no budget any more once its caller is answered", () => {
    const { items, wait, clock } = setUp();
    const item = wait("a");
    items.limit(item, () => {});
    items.written(item);
    expect(clock.timers).toBe(0);
  });

  test("is dropped when it is refused, and kept on disk when it is only late", async () => {
    const { items, wait, results, onDisk, counts, told } = setUp();
    items.failed(wait("a"), refused);
    items.drop(wait("b"), closed);
    await settled();
    expect(results.map(({ status, id }) => `${id} ${status}`)).toEqual(["a dropped", "b dropped"]);
    expect(onDisk()).toEqual(["b"]);
    expect([counts.dropped, items.dropped]).toEqual([2, 2]);
    expect(told).toEqual(["a dropped: refused", "b dropped: the writer is closed"]);
  });
});

describe("an item in the buffer", () => {
  test("remembers why it failed last", () => {
    const { items, wait } = setUp();
    const item = wait("a");
    items.failed(item, away);
    items.failed(item, { ...away, message: "still away" });
    expect(item.state).toMatchObject({ failure: { message: "still away" } });
  });

  test.each([
    { isTold: true, line: "a evicted: away, without payload" },
    { isTold: false, line: "a evicted: away" },
  ])("is pushed out by newer ones, and stays on disk (told $isTold)", async ({ isTold, line }) => {
    const { items, wait, told, disk, onDisk, counts } = setUp({ isTold });
    const [first] = ["a", "b", "c"].map((id) => {
      const item = wait(id);
      items.failed(item, away);
      return item;
    });
    await settled();
    expect(first?.state.name).toBe("done");
    expect(told).toContain(line);
    expect(counts.evicted).toBe(1);
    expect([disk.hasMore, onDisk()]).toEqual([true, ["a", "b", "c"]]);
  });

  test("leaves the disk when it is refused, and stays there when it is given up", async () => {
    const { items, wait, onDisk, told } = setUp();
    const [first, second] = [wait("a"), wait("b")];
    for (const item of [first, second]) items.failed(item, away);
    items.failed(first, refused);
    const third = wait("c");
    items.dropAll({ ...away, message: "too late" });
    await settled();
    expect(items.buffer.size + items.waiting.size).toBe(0);
    expect([second.state.name, third.state.name]).toEqual(["done", "done"]);
    expect(onDisk()).toEqual(["b", "c"]);
    expect(told.slice(2)).toEqual(["a dropped: refused", "c dropped: too late", "b dropped: away"]);
  });
});

test("an item from disk leaves it when it is written or refused, and stays when it fails for now", async () => {
  const { items, counts, fake, onDisk } = setUp();
  const [one, two, three] = ["a", "b", "c"].map((id) => {
    const entry = entryWith(id);
    fake.entries.set(id, entry);
    return items.spooled(entry);
  });
  if (!one || !two || !three) throw new Error("three items");
  items.limit(one, () => {});
  items.written(one);
  items.failed(two, refused);
  items.failed(three, away);
  await settled();
  expect(three.state.name).toBe("spooled");
  expect(onDisk()).toEqual(["c"]);
  expect(counts).toMatchObject({ recovered: 1, dropped: 1, buffered: 0 });
});
