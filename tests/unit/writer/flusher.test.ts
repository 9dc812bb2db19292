import { expect, test } from "vitest";
import { createAvailability } from "../../../src/writer/availability.js";
import { createDisk } from "../../../src/writer/disk.js";
import { createFlusher } from "../../../src/writer/flusher.js";
import { createItems, type Item } from "../../../src/writer/items.js";
import type { Failure, FlushReport } from "../../../src/writer/types.js";
import { entryWith } from "../../harness/entries.js";
import { createTestClock, settled } from "./clock.js";
import { noCounts } from "./counts.js";
import { createFakeSpool } from "./fake_spool.js";

const away: Failure = { kind: "transient", code: null, message: "away" };
const backoff = { initialMs: 500, maxMs: 30_000 };

function setUp(left?: readonly string[]) {
  const clock = createTestClock();
  const counts = noCounts();
  const database = { isUp: true, calls: [] as string[] };
  const recoveries: FlushReport[] = [];
  const closing = new AbortController();
  const fake = createFakeSpool(left?.map((id) => entryWith(id)));
  const disk = left && createDisk(fake.spool, counts);
  const items = createItems(
    {
      clock,
      budgetMs: 100,
      limits: { maxEntries: 1000, maxBytes: 1024 * 1024 },
      disk,
      tell: () => true,
      onKeep: () => {},
    },
    counts,
  );
  const availability = createAvailability(clock, backoff, (available) =>
    flusher.changed(available),
  );
  const flusher = createFlusher(
    {
      clock,
      backoff,
      onRecovery: (report) => recoveries.push(report),
      items,
      disk,
      availability,
      async deliver(sent: readonly Item[], attempt) {
        database.calls.push(sent.map(({ entry }) => entry.id).join(""));
        if (!database.isUp) {
          attempt.failed();
          for (const item of sent) items.failed(item, away);
          return away;
        }
        for (const item of sent) items.written(item);
        attempt.succeeded();
        return null;
      },
      closing: closing.signal,
    },
    counts,
  );
  const keep = (...ids: string[]) => {
    for (const id of ids) {
      const entry = entryWith(id);
      fake.entries.set(id, entry);
      items.failed(
        items.wait(entry, () => {}),
        away,
      );
    }
  };
  return { clock, database, recoveries, closing, fake, items, availability, flusher, keep };
}

test("writes what is in the buffer on demand, in one insert", async () => {
  const { flusher, keep, database } = setUp();
  keep("a", "b");
  expect(await flusher.flush()).toEqual({ flushed: 2, failed: 0, remaining: 0 });
  expect(database.calls).toEqual(["ab"]);
});

test("there is one flush at a time", async () => {
  const { flusher, keep, database } = setUp();
  keep("a");
  await Promise.all([flusher.flush(), flusher.flush()]);
  expect(database.calls).toEqual(["a"]);
});

test("tries again after the delay, and tells when the database is back", async () => {
  const { flusher, keep, database, recoveries, clock } = setUp();
  keep("a");
  database.isUp = false;
  expect(await flusher.flush()).toEqual({ flushed: 0, failed: 0, remaining: 1 });
  await clock.advance(499);
  expect(database.calls).toEqual(["a"]);
  database.isUp = true;
  await clock.advance(1);
  expect(database.calls).toEqual(["a", "a"]);
  expect(recoveries).toEqual([{ flushed: 1, failed: 0, remaining: 0 }]);
  expect(clock.timers).toBe(0);
});

test("does not ask a database that is away unless it is forced to", async () => {
  const { flusher, keep, database, availability } = setUp();
  keep("a");
  availability.begin()?.failed();
  await flusher.flush();
  expect(database.calls).toEqual([]);
  await flusher.flush(true);
  expect(database.calls).toEqual(["a"]);
});

test("asks without entries whether a database is back that was away", async () => {
  const { flusher, database, availability, clock } = setUp();
  availability.begin()?.failed();
  flusher.wake();
  await clock.advance(500);
  expect(database.calls).toEqual([""]);
  expect(availability.available).toBe(true);
});

test("writes what is on disk at once, and every minute what has come there", async () => {
  const { database, fake, clock, flusher } = setUp(["a"]);
  await settled();
  expect(database.calls).toEqual(["a"]);
  fake.entries.set("b", entryWith("b"));
  await clock.advance(60_000);
  expect(database.calls).toEqual(["a", "b"]);
  flusher.stop();
  expect(clock.timers).toBe(0);
});

test("writes what is in the buffer before what is on disk, and each once", async () => {
  const { database, keep } = setUp(["a"]);
  keep("b");
  await settled();
  expect(database.calls.slice(0, 2)).toEqual(["b", "a"]);
});

test("leaves what is on disk to the next process when the writer is closed", async () => {
  const { database, keep, closing, flusher } = setUp(["a"]);
  keep("b");
  closing.abort();
  await flusher.flush(true);
  expect(database.calls).toEqual(["b"]);
});

test("sends nothing more from disk when the writer is closed meanwhile", async () => {
  const { database, closing } = setUp(["a"]);
  // The flush has begun to read by then.
  await Promise.resolve();
  closing.abort();
  await settled();
  expect(database.calls).toEqual([]);
});
