import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { UserError } from "../../../src/errors.js";
import type { FailureLine, LogResult } from "../../../src/writer/types.js";
import {
  AuditWriteError,
  type AuditWriterOptions,
  createAuditWriter,
  type DroppedEntry,
  type FlushReport,
} from "../../../src/writer/writer.js";
import { entryWith } from "../../harness/entries.js";
import { createTestClock, settled } from "./clock.js";
import { createFakeSpool } from "./fake_spool.js";
import { createFakeDatabase, pgError } from "./fake_transport.js";

function setUp(options: Partial<AuditWriterOptions> = {}, random?: () => number) {
  const clock = createTestClock(random);
  const database = createFakeDatabase();
  const lines: FailureLine[] = [];
  const dropped: DroppedEntry[] = [];
  const recoveries: FlushReport[] = [];
  const writer = createAuditWriter({
    transport: (entries, signal) => database.transport(entries, signal),
    clock,
    logger: (line) => lines.push(JSON.parse(line)),
    onDrop: (each) => dropped.push(each),
    onRecovery: (report) => recoveries.push(report),
    ...options,
  });
  return { clock, database, lines, dropped, recoveries, writer };
}

const linesOf = (lines: FailureLine[]) => lines.map(({ status, action }) => `${status} ${action}`);

describe("log", () => {
  test("writes at once while the database answers", async () => {
    const { writer, database, lines, clock } = setUp();
    const result = await writer.log({ action: "one" });
    expect(result).toEqual({ status: "written", id: database.ids[0] });
    expect(writer.metrics()).toMatchObject({ written: 1, buffered: 0, dbAvailable: true });
    expect(lines).toEqual([]);
    expect(clock.timers).toBe(0);
  });

  test("keeps events while the database is away, without asking it, and writes them in order", async () => {
    const { writer, database, lines, recoveries, clock } = setUp();
    database.mode = "down";
    const first = await writer.log({ action: "one" });
    expect(first).toMatchObject({ status: "buffered", reason: "error ECONNREFUSED" });
    const others = [await writer.log({ action: "two" }), await writer.log({ action: "three" })];
    expect(others.map(({ status }) => status)).toEqual(["buffered", "buffered"]);
    expect(database.calls).toEqual([1]);
    expect(linesOf(lines)).toEqual(["buffered one", "buffered two", "buffered three"]);
    expect(writer.metrics()).toMatchObject({ dbAvailable: false, inBuffer: 3, buffered: 3 });

    database.mode = "ok";
    await clock.advance(499);
    expect(writer.metrics()).toMatchObject({ inBuffer: 3, oldestBufferedMs: 499 });
    await clock.advance(1);
    expect(database.ids).toEqual([first, ...others].map(({ id }) => id));
    expect(database.calls).toEqual([1, 3]);
    expect(recoveries).toEqual([{ flushed: 3, failed: 0, remaining: 0 }]);
    expect(writer.metrics()).toMatchObject({
      dbAvailable: true,
      flushed: 3,
      inBuffer: 0,
      bufferBytes: 0,
      oldestBufferedMs: null,
    });
    expect(clock.timers).toBe(0);
  });

  test("resolves within its budget, and what arrives later leaves the buffer", async () => {
    const { writer, database, lines, clock } = setUp({ budgetMs: 200 });
    database.mode = "hang";
    const results: LogResult[] = [];
    void writer.log({ action: "slow" }).then((result) => results.push(result));
    await clock.advance(199);
    expect(results).toEqual([]);
    await clock.advance(1);
    expect(results).toMatchObject([{ status: "buffered", reason: "no answer within 200 ms" }]);
    expect(writer.metrics()).toMatchObject({ dbAvailable: false, inBuffer: 1 });
    database.release(true);
    await settled();
    expect(writer.metrics()).toMatchObject({ dbAvailable: true, inBuffer: 0, flushed: 1 });
    expect(linesOf(lines)).toEqual(["buffered slow"]);
  });

  test("aborts an attempt that never ends, and tries again", async () => {
    const signals: AbortSignal[] = [];
    const { writer, clock } = setUp({
      attemptTimeoutMs: 3000,
      transport: (_entries, signal) => {
        signals.push(signal);
        return signals.length === 1 ? new Promise(() => {}) : Promise.resolve();
      },
    });
    void writer.log({ action: "stuck" });
    await clock.advance(3000);
    expect(signals[0]?.aborted).toBe(true);
    expect(writer.metrics()).toMatchObject({ inBuffer: 0, flushed: 1, dbAvailable: true });
  });

  test("what succeeds after it was given up leaves the buffer as well", async () => {
    const { writer, database, clock } = setUp({ attemptTimeoutMs: 1000, budgetMs: 100 });
    database.mode = "hang";
    void writer.log({ action: "late" });
    await clock.advance(1000);
    expect(writer.metrics()).toMatchObject({ dbAvailable: false, inBuffer: 1 });
    expect(database.calls.length).toBeGreaterThan(1);
    // Only the attempt that was given up goes on; the probe since then still hangs.
    database.release(true, 1);
    await settled();
    expect(writer.metrics()).toMatchObject({ dbAvailable: true, inBuffer: 0, flushed: 1 });
  });

  test("the next event after the delay is let through and brings the others along", async () => {
    const { writer, database, clock } = setUp();
    database.mode = "down";
    await writer.log({ action: "one" });
    database.mode = "ok";
    // The clock was set, so no timer has run.
    clock.set(clock.now() + 500);
    expect(await writer.log({ action: "two" })).toMatchObject({ status: "written" });
    await settled();
    expect(writer.metrics()).toMatchObject({ written: 1, flushed: 1, inBuffer: 0 });
  });

  test("sets aside what is refused for good and writes the others", async () => {
    const { writer, database, lines, dropped, recoveries, clock } = setUp();
    database.mode = "down";
    for (const action of ["a", "b", "poison", "c", "d"]) await writer.log({ action });
    database.mode = "ok";
    await clock.advance(500);
    expect(database.ids).toHaveLength(4);
    expect(recoveries).toEqual([{ flushed: 4, failed: 1, remaining: 0 }]);
    expect(linesOf(lines).slice(5)).toEqual(["dropped poison"]);
    expect(dropped).toMatchObject([{ status: "dropped", failure: { code: "22P02" } }]);
    expect(await writer.log({ action: "poison" })).toMatchObject({
      status: "dropped",
      reason: "poison",
    });
    expect(writer.metrics()).toMatchObject({ dropped: 2, dbAvailable: true });
  });

  test("writes a line about what cannot be written at all, without asking the database", async () => {
    const { writer, database, lines } = setUp();
    expect(await writer.log({ action: "" })).toMatchObject({ status: "dropped" });
    const other = await writer.log({ action: "x", organisationId: "acme" });
    expect(other.reason).toBe("organisationId is no UUID");
    expect(await writer.log(null as never)).toMatchObject({ status: "dropped" });
    expect(database.calls).toEqual([]);
    expect(lines).toHaveLength(3);
    expect(lines[1]).toMatchObject({ event: { organisation_id: "acme" } });
  });

  test("pushes out the oldest when the buffer is full", async () => {
    const { writer, database, lines, dropped, clock } = setUp({ buffer: { maxEntries: 2 } });
    database.mode = "down";
    for (const action of ["one", "two", "three"]) await writer.log({ action });
    expect(linesOf(lines)).toEqual([
      "buffered one",
      "buffered two",
      "buffered three",
      "evicted one",
    ]);
    expect(lines[0]?.event).toMatchObject({ action: "one" });
    expect(lines[3], "it has been told already").toMatchObject({ action: "one", event: null });
    expect(dropped).toMatchObject([{ status: "evicted", entry: { action: "one" } }]);
    expect(writer.metrics()).toMatchObject({ evicted: 1, inBuffer: 2 });
    expect(writer.ready()).toBe(false);
    database.mode = "ok";
    await clock.advance(500);
    expect(database.ids).toHaveLength(2);
    expect(writer.ready()).toBe(true);
  });

  test("has the event in the line about its eviction, if the logger did not take the first", async () => {
    const lines: FailureLine[] = [];
    let broken = true;
    const { writer, database } = setUp({
      buffer: { maxEntries: 1 },
      logger: (line) => {
        if (broken) throw new Error("the disk of the log is full");
        lines.push(JSON.parse(line) as FailureLine);
      },
    });
    database.mode = "down";
    await writer.log({ action: "one" });
    broken = false;
    await writer.log({ action: "two" });
    expect(lines.map(({ status, event }) => [status, event?.action])).toEqual([
      ["buffered", "two"],
      ["evicted", "one"],
    ]);
    expect(writer.metrics().linesLost).toBe(1);
  });

  test("an entry that is there already counts as written, in a batch only after halving", async () => {
    const there = new Set<string>();
    const { writer } = setUp({
      batching: { maxEntries: 2, maxDelayMs: 10 },
      transport: async (entries) => {
        if (entries.some(({ id }) => there.has(id))) throw pgError("P2002");
        for (const { id } of entries) there.add(id);
      },
    });
    const id = "01890000-0000-7000-8000-000000000001";
    there.add(id);
    const results = await Promise.all([
      writer.log({ action: "again", id }),
      writer.log({ action: "new" }),
    ]);
    expect(results.map(({ status }) => status)).toEqual(["written", "written"]);
    expect(there.size).toBe(2);
  });

  test("survives a logger, a reporter and callbacks that throw", async () => {
    const fail = () => {
      throw new Error("broken");
    };
    const report = vi.fn(fail);
    const { writer, database, clock } = setUp({
      logger: fail,
      reporter: { report },
      onDrop: fail,
      onRecovery: (async () => fail()) as never,
    });
    database.mode = "down";
    expect(await writer.log({ action: "one" })).toMatchObject({ status: "buffered" });
    database.mode = "ok";
    await clock.advance(500);
    expect(await writer.log({ action: "poison" })).toMatchObject({ status: "dropped" });
    expect(report.mock.calls).toMatchObject([[{ status: "buffered" }], [{ status: "dropped" }]]);
    expect(writer.metrics()).toMatchObject({ linesLost: 2, flushed: 1, dropped: 1 });
  });

  test("leaves the entry out of the line on demand", async () => {
    const { writer, database, lines } = setUp({ logPayload: false });
    database.mode = "down";
    await writer.log({ action: "secret", details: { password: "x" } });
    expect(lines).toMatchObject([{ event: null, action: "secret" }]);
  });
});

describe("batching", () => {
  test("concurrent events share an insert: when it is full, the delay is over or none is under way", async () => {
    const { writer, database, clock } = setUp({ batching: { maxEntries: 3, maxDelayMs: 20 } });
    const log = (...numbers: number[]) => numbers.map((n) => writer.log({ action: `event.${n}` }));
    database.mode = "hang";
    const results = log(1, 2, 3, 4);
    await settled();
    expect(database.calls).toEqual([3]);
    await clock.advance(19);
    expect(database.calls).toEqual([3]);
    await clock.advance(1);
    expect(database.calls).toEqual([3, 1]);
    results.push(...log(5, 6));
    await settled();
    expect(database.calls).toEqual([3, 1]);
    database.release(true);
    await settled();
    expect(database.calls).toEqual([3, 1, 2]);
    database.release(true);
    expect((await Promise.all(results)).every(({ status }) => status === "written")).toBe(true);
  });

  test("a poison entry does not take its batch with it", async () => {
    const { writer, database } = setUp({ batching: { maxEntries: 5, maxDelayMs: 20 } });
    const actions = ["a", "b", "poison", "c", "d"];
    const results = await Promise.all(actions.map((action) => writer.log({ action })));
    expect(results.map(({ status }) => status)).toEqual([
      "written",
      "written",
      "dropped",
      "written",
      "written",
    ]);
    expect(database.ids).toHaveLength(4);
  });

  test("a database that goes away halfway leaves the rest in the buffer", async () => {
    let call = 0;
    const { writer } = setUp({
      batching: { maxEntries: 4, maxDelayMs: 20 },
      transport: async () => {
        call += 1;
        if (call === 1) throw pgError("22021");
        if (call === 2) throw pgError("57P01");
      },
    });
    const results = await Promise.all(["a", "b", "c", "d"].map((action) => writer.log({ action })));
    expect(results.every(({ status }) => status === "buffered")).toBe(true);
    expect(call).toBe(2);
  });
});

describe("logStrict", () => {
  test("writes, or rejects and writes no line", async () => {
    const { writer, database, lines } = setUp();
    expect(await writer.logStrict({ action: "one" })).toMatchObject({ status: "written" });
    database.mode = "down";
    const refused = await writer.logStrict({ action: "two" }).catch((error) => error);
    expect(refused).toBeInstanceOf(AuditWriteError);
    expect(refused).toMatchObject({
      failure: { kind: "transient", code: "ECONNREFUSED" },
      entry: { action: "two" },
    });
    await expect(writer.logStrict({ action: "" })).rejects.toThrow("has no action");
    expect(lines).toEqual([]);
    expect(writer.metrics()).toMatchObject({ dbAvailable: true, written: 1, inBuffer: 0 });
  });

  test("tells the others that the database is back", async () => {
    const { writer, database } = setUp();
    database.mode = "down";
    await writer.log({ action: "one" });
    database.mode = "ok";
    await writer.logStrict({ action: "two" });
    await settled();
    expect(writer.metrics()).toMatchObject({ dbAvailable: true, written: 1, flushed: 1 });
  });
});

describe("logWithin", () => {
  test("rolls back to its savepoint, keeps nothing, and tells", async () => {
    const { writer, lines } = setUp();
    const query = vi.fn(async (text: string) => {
      if (text.startsWith("insert")) throw pgError("55P03");
    });
    const result = await writer.logWithin({ query }, { action: "one" });
    expect(result).toMatchObject({ status: "dropped", reason: "error 55P03" });
    expect(query.mock.calls.map(([text]) => text.split(" public")[0])).toEqual([
      "savepoint pgtrail_event",
      "insert into",
      "rollback to savepoint pgtrail_event",
      "release savepoint pgtrail_event",
    ]);
    expect(lines).toMatchObject([{ status: "dropped", event: { action: "one" } }]);
    expect(writer.metrics()).toMatchObject({ inBuffer: 0, dropped: 1, dbAvailable: true });
  });

  test("of a transaction that is lost there is nothing to replay", async () => {
    const { writer, lines } = setUp();
    const query = async () => {
      throw new Error("Connection terminated unexpectedly");
    };
    const result = await writer.logWithin({ query }, { action: "one" });
    expect(result).toMatchObject({
      status: "dropped",
      reason: "the transaction is lost: Connection terminated unexpectedly",
    });
    expect(lines).toMatchObject([{ status: "dropped", event: null }]);
    expect(await writer.logWithin({ query }, { action: "" })).toMatchObject({ status: "dropped" });
  });
});

describe("close", () => {
  test("flushes what there is, then takes no more", async () => {
    const { writer, database, lines, clock } = setUp({
      batching: { maxEntries: 10, maxDelayMs: 900 },
    });
    database.mode = "down";
    await clock.advance(0);
    const first = writer.log({ action: "one" });
    await clock.advance(900);
    expect(await first).toMatchObject({ status: "buffered" });
    database.mode = "ok";
    const closing = writer.close();
    expect(writer.close()).toBe(closing);
    await clock.advance(1000);
    expect(await closing).toEqual({ flushed: 1, failed: 0, remaining: 0 });
    expect(writer.ready()).toBe(false);
    expect(await writer.log({ action: "late" })).toMatchObject({
      status: "dropped",
      reason: "the writer is closed",
    });
    await expect(writer.logStrict({ action: "late" })).rejects.toThrow("closed");
    expect(linesOf(lines)).toEqual(["buffered one", "dropped late"]);
    expect(clock.timers).toBe(0);
  });

  test("tries until the database is back", async () => {
    const { writer, database, clock } = setUp();
    database.mode = "down";
    await writer.log({ action: "one" });
    const closing = writer.close();
    await clock.advance(250);
    database.mode = "ok";
    await clock.advance(100);
    expect(await closing).toEqual({ flushed: 1, failed: 0, remaining: 0 });
    expect(database.calls.length).toBeGreaterThan(2);
  });

  test("drops what is left when its time is over, each with a line", async () => {
    const { writer, database, lines, clock } = setUp({ budgetMs: 60_000 });
    database.mode = "down";
    await writer.log({ action: "kept" });
    database.mode = "hang";
    await clock.advance(500);
    const closing = writer.close({ timeoutMs: 300 });
    await clock.advance(300);
    expect(await closing).toEqual({ flushed: 0, failed: 1, remaining: 0 });
    expect(linesOf(lines)).toEqual(["buffered kept", "dropped kept"]);
  });

  test("drops callers that wait when its time is over", async () => {
    const { writer, database, clock } = setUp({ budgetMs: 60_000 });
    database.mode = "hang";
    const result = writer.log({ action: "waits" });
    const closing = writer.close({ timeoutMs: 300 });
    await clock.advance(300);
    expect(await result).toMatchObject({ status: "dropped", reason: "no answer within 300 ms" });
    expect(await closing).toMatchObject({ failed: 1 });
  });
});

describe("a spool", () => {
  const ids = [1, 2, 3].map((n) => `01890000-0000-7000-8000-00000000000${n}`);

  test("keeps what the buffer evicts, and all of it is written when the database is back", async () => {
    const disk = createFakeSpool();
    const { writer, database, lines, clock } = setUp({
      spool: disk.spool,
      buffer: { maxEntries: 2 },
    });
    database.mode = "down";
    const results = [];
    for (const action of ["one", "two", "three", "four"])
      results.push(await writer.log({ action }));
    const logged = results.map(({ id }) => id);
    expect(results.every(({ status }) => status === "buffered")).toBe(true);
    expect([...disk.entries.keys()]).toEqual(logged);
    expect(linesOf(lines).slice(-1)).toEqual(["evicted two"]);
    expect(writer.ready()).toBe(true);

    database.mode = "ok";
    await clock.advance(500);
    // The buffer first, then the disk.
    expect(database.ids).toEqual([...logged.slice(2), ...logged.slice(0, 2)]);
    expect(database.calls.slice(-2)).toEqual([2, 2]);
    expect(disk.entries.size).toBe(0);
    expect(writer.metrics()).toMatchObject({
      spooled: 4,
      evicted: 2,
      flushed: 2,
      recovered: 2,
      spoolRefused: 0,
    });
  });

  test("of what is written at once knows nothing", async () => {
    const disk = createFakeSpool();
    const { writer } = setUp({ spool: disk.spool });
    await writer.log({ action: "one" });
    await writer.log({ action: "" });
    await writer.log({ action: "poison" });
    expect(writer.metrics()).toMatchObject({ written: 1, dropped: 2, spooled: 0 });
  });

  test("is emptied at the start, and what is refused for good is set aside", async () => {
    const [a = "", poison = "", b = ""] = ids;
    const disk = createFakeSpool([
      entryWith(a),
      entryWith(poison, { action: "poison" }),
      entryWith(b),
    ]);
    const { writer, database, lines, dropped } = setUp({ spool: disk.spool });
    await settled();
    expect(database.ids).toEqual([a, b]);
    expect(linesOf(lines)).toEqual(["dropped poison"]);
    expect(lines[0]?.event).toEqual(entryWith(poison, { action: "poison" }));
    expect(dropped).toMatchObject([{ status: "dropped", failure: { code: "22P02" } }]);
    expect(disk.entries.size).toBe(0);
    expect(writer.metrics()).toMatchObject({ recovered: 2, dropped: 1, written: 0, flushed: 0 });
  });

  test("waits for a database that is away at the start", async () => {
    const disk = createFakeSpool(ids.map((id) => entryWith(id)));
    const { writer, database, lines, clock } = setUp({ spool: disk.spool });
    database.mode = "down";
    await settled();
    expect(database.calls).toEqual([3]);
    expect(writer.metrics()).toMatchObject({ dbAvailable: false, inBuffer: 0 });
    expect(disk.entries.size).toBe(3);
    database.mode = "ok";
    await clock.advance(500);
    expect(database.ids).toEqual(ids);
    expect(disk.entries.size).toBe(0);
    // They had their lines in the process that wrote them.
    expect(lines).toEqual([]);
  });

  test("goes on where it was when the database went away in between", async () => {
    const left = Array.from({ length: 1200 }, (_, n) =>
      entryWith(`01890000-0000-7000-8000-${String(n).padStart(12, "0")}`),
    );
    const disk = createFakeSpool(left);
    let calls = 0;
    const stored: string[] = [];
    const { clock } = setUp({
      spool: disk.spool,
      transport: async (entries) => {
        calls += 1;
        if (calls === 2) throw pgError("57P01");
        for (const { id } of entries) stored.push(id);
      },
    });
    await settled();
    expect(stored).toHaveLength(500);
    expect(disk.entries.size).toBe(700);
    await clock.advance(500);
    expect(stored).toEqual(left.map(({ id }) => id));
    expect(disk.entries.size).toBe(0);
  });

  test("is looked at again every minute, as another process may have ended", async () => {
    const disk = createFakeSpool();
    const { database, clock } = setUp({ spool: disk.spool });
    await settled();
    disk.entries.set(ids[0] as string, entryWith(ids[0] as string));
    await clock.advance(59_999);
    expect(database.ids).toEqual([]);
    await clock.advance(1);
    expect(database.ids).toEqual(ids.slice(0, 1));
  });

  test("keeps nobody waiting beyond the budget", async () => {
    const disk = createFakeSpool();
    const { writer, database, clock } = setUp({ spool: disk.spool, budgetMs: 200 });
    database.mode = "down";
    disk.mode = "hang";
    const results: LogResult[] = [];
    void writer.log({ action: "one" }).then((result) => results.push(result));
    await clock.advance(199);
    expect(results).toEqual([]);
    await clock.advance(1);
    expect(results).toMatchObject([{ status: "buffered", reason: "error ECONNREFUSED" }]);
    disk.mode = "ok";
    disk.release();
    await settled();
    expect(await writer.log({ action: "two" })).toMatchObject({ status: "buffered" });
    expect(disk.entries.size).toBe(2);
  });

  test("that has no room is counted, and a full buffer is not ready then", async () => {
    const disk = createFakeSpool();
    const { writer, database } = setUp({ spool: disk.spool, buffer: { maxEntries: 1 } });
    database.mode = "down";
    disk.mode = "full";
    expect(await writer.log({ action: "one" })).toMatchObject({ status: "buffered" });
    expect(writer.metrics()).toMatchObject({ spooled: 0, spoolRefused: 1, inBuffer: 1 });
    expect(writer.ready()).toBe(false);
    disk.mode = "ok";
    await writer.log({ action: "two" });
    expect(writer.ready()).toBe(true);
  });

  test("has what was left when the writer was closed, and what came after that", async () => {
    const disk = createFakeSpool();
    const { writer, database, lines, clock } = setUp({ spool: disk.spool, budgetMs: 60_000 });
    database.mode = "down";
    await writer.log({ action: "buffered" });
    database.mode = "hang";
    await clock.advance(500);
    const closing = writer.close({ timeoutMs: 300 });
    await clock.advance(300);
    expect(await closing).toEqual({ flushed: 0, failed: 1, remaining: 0 });
    expect(await writer.log({ action: "late" })).toMatchObject({ status: "dropped" });
    expect([...disk.entries.values()].map(({ action }) => action)).toEqual(["buffered", "late"]);
    expect(linesOf(lines)).toEqual(["buffered buffered", "dropped buffered", "dropped late"]);
    expect(clock.timers).toBe(1);

    const next = setUp({ spool: disk.spool });
    await settled();
    expect(next.database.ids).toEqual(lines.slice(1).map(({ eventId }) => eventId));
    expect(next.writer.metrics()).toMatchObject({ recovered: 2 });
  });

  test("has callers who still waited for the database", async () => {
    const disk = createFakeSpool();
    const { writer, database, clock } = setUp({ spool: disk.spool, budgetMs: 60_000 });
    database.mode = "hang";
    const result = writer.log({ action: "waits" });
    const closing = writer.close({ timeoutMs: 300 });
    await clock.advance(300);
    expect(await result).toMatchObject({ status: "dropped" });
    await closing;
    expect([...disk.entries.values()]).toMatchObject([{ action: "waits" }]);
  });

  test("another process left while the database was away is written when it is back", async () => {
    const disk = createFakeSpool();
    const { writer, database, clock } = setUp({ spool: disk.spool });
    await settled();
    database.mode = "down";
    await writer.log({ action: "one" });
    disk.entries.set(ids[0] as string, entryWith(ids[0] as string));
    // Looked at while it is away, which must not hammer the database.
    const calls = database.calls.length;
    await clock.advance(60_000);
    expect(database.calls.length - calls).toBeLessThan(20);
    expect(database.ids).toEqual([]);
    database.mode = "ok";
    await clock.advance(30_000);
    expect(database.ids).toContain(ids[0]);
    expect(database.ids).toHaveLength(2);
    expect(disk.entries.size).toBe(0);
  });

  test("that cannot be read is tried again later", async () => {
    const disk = createFakeSpool([entryWith(ids[0] as string)]);
    let readable = false;
    const spool = {
      ...disk.spool,
      recover() {
        if (!readable) throw new UserError("cannot read the spool");
        return disk.spool.recover();
      },
    };
    const { writer, database, clock } = setUp({ spool });
    expect(await writer.log({ action: "one" })).toMatchObject({ status: "written" });
    readable = true;
    await clock.advance(60_000);
    expect(database.ids[1]).toBe(ids[0]);
  });
});

describe("options", () => {
  const transport = async () => {};

  test.each([
    [{}, "neither pool and transport"],
    [{ transport, pool: {} as never }, "both pool and transport"],
    [{ transport, buffer: { maxEntries: 0 } }, "buffer.maxEntries is 0"],
    [{ transport, buffer: { maxBytes: 10 } }, "buffer.maxBytes is 10"],
    [{ transport, budgetMs: -1 }, "budgetMs is -1"],
    [{ transport, batching: { maxEntries: 1.5, maxDelayMs: 1 } }, "batching.maxEntries is 1.5"],
  ])("%o is refused", (options, message) => {
    expect(() => createAuditWriter(options)).toThrow(UserError);
    expect(() => createAuditWriter(options)).toThrow(message);
  });

  test("the environment sizes the buffer, and is checked", async () => {
    try {
      vi.stubEnv("PGTRAIL_BUFFER_MAX_ENTRIES", "many");
      expect(() => createAuditWriter({ transport })).toThrow("PGTRAIL_BUFFER_MAX_ENTRIES is many");
      vi.stubEnv("PGTRAIL_BUFFER_MAX_ENTRIES", "1");
      const { writer, database } = setUp();
      database.mode = "down";
      await writer.log({ action: "one" });
      await writer.log({ action: "two" });
      expect(writer.metrics()).toMatchObject({ inBuffer: 1, evicted: 1 });
    } finally {
      vi.unstubAllEnvs();
    }
  });
});

type Step =
  | { do: "log"; actions: string[] }
  | { do: "mode"; mode: "ok" | "down" | "hang" | "unknown" }
  | { do: "advance"; milliseconds: number }
  | { do: "release"; success: boolean }
  | { do: "flush" };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("log" as const),
      actions: fc.array(fc.constantFrom("a", "a", "a", "poison", ""), {
        minLength: 1,
        maxLength: 6,
      }),
    }),
  },
  fc.record({
    do: fc.constant("mode" as const),
    mode: fc.constantFrom("ok" as const, "down" as const, "hang" as const, "unknown" as const),
  }),
  fc.record({
    do: fc.constant("advance" as const),
    milliseconds: fc.integer({ min: 0, max: 40_000 }),
  }),
  fc.record({ do: fc.constant("release" as const), success: fc.boolean() }),
  fc.record({ do: fc.constant("flush" as const) }),
);

describe("laws", () => {
  test("every event is written once or has a line that recovers it, whatever happens", async () => {
    const property = fc.asyncProperty(
      fc.array(step, { maxLength: 30 }),
      fc.integer({ min: 1, max: 8 }),
      fc.boolean(),
      fc.boolean(),
      fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })),
      async (steps, maxEntries, batched, spooled, jitter) => {
        const disk = createFakeSpool();
        const { writer, database, lines, clock } = setUp(
          {
            buffer: { maxEntries },
            ...(spooled ? { spool: disk.spool } : {}),
            ...(batched ? { batching: { maxEntries: 3, maxDelayMs: 50 } } : {}),
          },
          () => jitter.next().value,
        );
        const results: { result: LogResult; action: string; waited: number }[] = [];
        let logged = 0;
        for (const each of steps) {
          if (each.do === "log") {
            for (const action of each.actions) {
              logged += 1;
              const begun = clock.now();
              void writer.log({ action }).then((result) => {
                results.push({ result, action, waited: clock.now() - begun });
              });
            }
          } else if (each.do === "mode") database.mode = each.mode;
          else if (each.do === "advance") await clock.advance(each.milliseconds);
          else if (each.do === "release") database.release(each.success);
          else void writer.flush();
          await settled();
        }

        database.mode = "ok";
        database.release(true);
        // The longest backoff, an attempt that has to be given up first, and the buffer's retry.
        await clock.advance(30_000 + 10_000 + 1000);

        const metrics = writer.metrics();
        expect(metrics).toMatchObject({ dbAvailable: true, inBuffer: 0, bufferBytes: 0 });
        expect(results).toHaveLength(logged);
        expect(Math.max(0, ...results.map(({ waited }) => waited))).toBeLessThanOrEqual(1000);
        expect(new Set(database.ids).size).toBe(database.ids.length);
        const stored = new Set(database.ids);
        let setAside = 0;
        for (const { result, action } of results) {
          const about = lines.filter(({ eventId }) => eventId === result.id);
          const end = about.find(({ status }) => status !== "buffered");
          if (result.status === "written") expect(stored.has(result.id)).toBe(true);
          if (result.status === "buffered") expect(about[0]?.status).toBe("buffered");
          // Not written means a line that says so and holds the event; the other way round, an
          // event that was given up may still have arrived.
          if (!stored.has(result.id)) {
            expect(end).toBeDefined();
            expect(about.find(({ event }) => event)?.event?.id).toBe(result.id);
          }
          if (action === "a" && end) expect(end.status).toBe("evicted");
          // With a disk, an eviction loses nothing.
          if (action === "a" && spooled) expect(stored.has(result.id)).toBe(true);
          if (action !== "a") expect(stored.has(result.id)).toBe(false);
          if (about.some(({ status }) => status === "dropped")) setAside += 1;
        }
        expect(disk.entries.size).toBe(0);
        expect(metrics.spooled).toBe(spooled ? metrics.buffered : 0);
        expect(metrics.dropped).toBe(setAside);
        const lost = spooled ? metrics.recovered : metrics.evicted;
        expect(metrics.written + metrics.flushed + lost + metrics.dropped).toBe(logged);
        expect(clock.timers).toBe(spooled ? 1 : 0);
      },
    );
    await fc.assert(property, { numRuns: 300 });
  });
});
