import { setTimeout as delay } from "node:timers/promises";
import fc from "fast-check";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createAuditWriter, pgTransport } from "../../src/index.js";
import type { AuditEvent, FailureLine } from "../../src/writer/types.js";
import type { AuditWriterOptions } from "../../src/writer/writer.js";
import { ids, useDatabase } from "../harness/index.js";

const database = useDatabase();
let pool: pg.Pool;

beforeAll(() => {
  // As an application has it: a login that may become service_role, and does on each connection.
  const url = new URL(database.url("authenticator"));
  url.searchParams.set("options", "-c role=service_role");
  pool = new pg.Pool({ connectionString: url.toString(), max: 3 });
});

afterAll(async () => {
  await pool.end();
});

function newWriter(options: Partial<AuditWriterOptions> = {}) {
  const lines: FailureLine[] = [];
  const writer = createAuditWriter({
    ...(options.transport ? {} : { pool }),
    // Only what hangs takes longer.
    budgetMs: 60_000,
    attemptTimeoutMs: 60_000,
    logger: (line) => lines.push(JSON.parse(line)),
    ...options,
  });
  return { writer, lines };
}

async function rowsOf(requestId: string) {
  const { rows } = await database.superuser.query(
    "select * from public.audit_log where request_id = $1 order by id",
    [requestId],
  );
  return rows;
}

describe("log", () => {
  test("writes every column, and the time of the event is that of the call", async () => {
    const { writer } = newWriter();
    const before = Date.now();
    const result = await writer.log({
      action: "certificate.issued",
      organisationId: ids.organisationA,
      entityType: "certificate",
      entityId: "7",
      actorId: ids.coordinatorA,
      impersonatorId: ids.orgAdminA,
      changes: { status: { old: null, new: "valid" } },
      details: { note: "æøå \u2028 'quoted' \"twice\"", at: new Date(0), big: 10n },
      ipAddress: "2001:db8::1, 10.0.0.1",
      userAgent: "test",
      requestId: "all-columns",
      traceId: "trace",
    });
    expect(result).toEqual({ status: "written", id: expect.any(String) });
    const [row] = await rowsOf("all-columns");
    expect(row).toMatchObject({
      id: result.id,
      organisation_id: ids.organisationA,
      actor_id: ids.coordinatorA,
      actor_kind: "impersonated",
      impersonator_id: ids.orgAdminA,
      database_role: "service_role",
      action: "certificate.issued",
      entity_type: "certificate",
      entity_id: "7",
      changes: { status: { old: null, new: "valid" } },
      details: {
        note: "æøå \u2028 'quoted' \"twice\"",
        at: "1970-01-01T00:00:00.000Z",
        big: "10",
        sanitised: {
          "details.big": "bigint, rendered as text",
          ipAddress: "reduced to the first address of: 2001:db8::1, 10.0.0.1",
        },
      },
      ip_address: "2001:db8::1",
      user_agent: "test",
      trace_id: "trace",
    });
    expect(row.occurred_at.getTime()).toBeGreaterThanOrEqual(before);
    expect(row.occurred_at.getTime()).toBeLessThanOrEqual(Date.now());
  });

  test("the least event is the platform's, by a service", async () => {
    const { writer } = newWriter();
    await writer.log({ action: "release.deployed", requestId: "least" });
    expect(await rowsOf("least")).toMatchObject([
      {
        organisation_id: ids.platformOrganisation,
        actor_kind: "service",
        actor_id: null,
        changes: null,
        details: null,
        ip_address: null,
      },
    ]);
  });

  test("an event sent again is the same entry, alone and within a batch", async () => {
    const { writer } = newWriter({ batching: { maxEntries: 3, maxDelayMs: 5 } });
    const first = await writer.log({ action: "sent", requestId: "again" });
    const again: AuditEvent = { action: "sent", requestId: "again", id: first.id };
    expect(await writer.log(again)).toEqual(first);
    const results = await Promise.all([
      writer.log(again),
      writer.log({ action: "new", requestId: "again" }),
      writer.log(again),
    ]);
    expect(results.map(({ status }) => status)).toEqual(["written", "written", "written"]);
    expect((await rowsOf("again")).map(({ action }) => action)).toEqual(["sent", "new"]);
  });

  test("a batch is one statement with the same rows as single inserts", async () => {
    const event = (n: number): AuditEvent => ({
      action: `event.${n}`,
      requestId: "batch",
      changes: n % 2 ? { n } : null,
      details: { text: "\\u0000 is no NUL", list: [1, null, { a: [] }] },
      ipAddress: n % 3 ? "10.1.2.3/24" : null,
    });
    const { writer } = newWriter({ batching: { maxEntries: 50, maxDelayMs: 50 } });
    const all = Array.from({ length: 50 }, (_, n) => writer.log(event(n)));
    expect((await Promise.all(all)).every(({ status }) => status === "written")).toBe(true);
    await newWriter().writer.log(event(50));
    const rows = await rowsOf("batch");
    expect(rows.map(({ action }) => action)).toEqual(
      all.map((_, n) => `event.${n}`).concat("event.50"),
    );
    expect(new Set(rows.slice(0, 50).map(({ tx_id }) => tx_id)).size).toBe(1);
    expect(rows[1]).toMatchObject({ changes: { n: 1 }, ip_address: "10.1.2.3/24" });
    expect(rows[0]).toMatchObject({ changes: null, ip_address: null });
    expect(rows[50].details).toEqual(rows[0].details);
  });

  test("what the database refuses is set aside alone", async () => {
    const { writer, lines } = newWriter({ batching: { maxEntries: 7, maxDelayMs: 50 } });
    // Long before the first partition.
    const id = "00000000-0000-7000-8000-000000000001";
    const results = await Promise.all(
      [0, 1, 2, 3, 4, 5, 6].map((n) =>
        writer.log({ action: `event.${n}`, requestId: "poison", ...(n === 4 ? { id } : {}) }),
      ),
    );
    expect(results.filter(({ status }) => status === "written")).toHaveLength(6);
    expect(results[4]).toMatchObject({ status: "dropped", id });
    expect(lines).toMatchObject([
      { status: "dropped", code: "23514", eventId: id, event: { action: "event.4" } },
    ]);
    expect(lines[0]?.error).toMatch(/no partition of relation/);
    expect(await rowsOf("poison")).toHaveLength(6);
    expect(writer.metrics()).toMatchObject({ dbAvailable: true, dropped: 1 });
  });

  test("what Postgres cannot hold is mended", async () => {
    const { writer, lines } = newWriter();
    // Four bytes a character, and nothing to compress.
    const rare = (length: number) =>
      Array.from({ length }, (_, n) =>
        String.fromCodePoint(0x10000 + ((n * n * 7919) % 60_000)),
      ).join("");
    const circular: Record<string, unknown> = { nul: "a\0b", half: "\ud83d" };
    circular.self = circular;
    const numbers = Array.from({ length: 9000 }, (_, n) => n * 1.5);
    const results = await Promise.all(
      [
        circular,
        { long: "æ".repeat(200_000), "nul\0key": 1 },
        { numbers, short: "kept" },
        Object.fromEntries(numbers.map((n) => [`key ${n}`, n])),
        { deep: JSON.parse("[".repeat(500) + "]".repeat(500)) },
        { nan: Number.NaN, huge: 1e308, tiny: 5e-324, f: () => 1 },
        { control: "\u0001".repeat(65_000) },
      ].map((details) =>
        writer.log({
          action: "x".repeat(300),
          entityType: rare(200),
          entityId: rare(500),
          actorId: "a\0".repeat(300),
          actorKind: "robot" as never,
          userAgent: "\ud83d\ude00".repeat(2000),
          ipAddress: "fe80::1%eth0",
          requestId: "mended",
          changes: details,
          details,
        }),
      ),
    );
    expect(lines).toEqual([]);
    expect(results.every(({ status }) => status === "written")).toBe(true);
    const rows = await rowsOf("mended");
    expect(rows).toHaveLength(7);
    for (const { details } of rows) {
      expect(Object.keys(details.sanitised).length).toBeGreaterThan(4);
    }
    expect(rows[0].changes).toMatchObject({ nul: "a\uFFFDb", half: "\uFFFD", self: "[circular]" });
    expect(rows.find(({ changes }) => changes.short)?.changes.numbers).toMatch(/^\[left out/);
  });

  test("whatever an application passes, Postgres takes", async () => {
    const { writer, lines } = newWriter({ batching: { maxEntries: 100, maxDelayMs: 20 } });
    const value = fc.oneof(
      fc.anything({ withBigInt: true, withDate: true, withMap: true, withSet: true }),
      fc.string({ unit: "binary", maxLength: 500 }),
      fc.ipV4(),
      fc.ipV6(),
      // Numbers take more room in jsonb than in JSON.
      fc.tuple(fc.double(), fc.integer()).map((numbers) => Array(3000).fill(numbers).flat()),
    );
    const names = [
      ...["action", "entityType", "entityId", "actorId", "actorKind", "impersonatorId"],
      ...["changes", "details", "ipAddress", "userAgent", "traceId"],
    ];
    const anyEvent = fc.record(Object.fromEntries(names.map((name) => [name, value])), {
      requiredKeys: [],
    });
    const events = fc.sample(anyEvent, { numRuns: 300, seed: 7 });
    await Promise.all(events.map((event) => writer.log(event as unknown as AuditEvent)));
    // Without an action there is nothing to record, and that is all that may be wrong.
    const refused = lines.filter(({ error }) => error !== "the event has no action");
    expect(refused.map(({ code, error }) => [code, error])).toEqual([]);
    expect(writer.metrics().written).toBeGreaterThan(100);
  });

  test("an attempt that is aborted closes its connection and frees the pool", async () => {
    const small = new pg.Pool({ ...pool.options, max: 1 });
    const holder = await database.superuser.connect();
    try {
      await holder.query("begin; lock table public.audit_log in access exclusive mode");
      const transport = pgTransport(small);
      const { writer } = newWriter({ transport, attemptTimeoutMs: 300 });
      const [first, second] = await Promise.all([
        writer.log({ action: "waits.for_lock", requestId: "aborted" }),
        writer.log({ action: "waits.for_connection", requestId: "aborted" }),
      ]);
      expect([first.status, second.status]).toEqual(["buffered", "buffered"]);
      await holder.query("rollback");
      while (writer.metrics().inBuffer > 0) await delay(20);
      expect(await rowsOf("aborted")).toHaveLength(2);
      expect(small.totalCount).toBeLessThanOrEqual(1);
      await writer.close();
    } finally {
      await holder.query("rollback");
      holder.release();
      await small.end();
    }
  });
});

describe("logStrict", () => {
  test("writes, and rejects with the reason of the database", async () => {
    const { writer, lines } = newWriter();
    await writer.logStrict({ action: "strict", requestId: "strict" });
    expect(await rowsOf("strict")).toHaveLength(1);
    const id = "00000000-0000-7000-8000-000000000002";
    await expect(writer.logStrict({ action: "strict", id })).rejects.toMatchObject({
      name: "AuditWriteError",
      failure: { kind: "permanent", code: "23514" },
      cause: { severity: "ERROR" },
    });
    expect(lines).toEqual([]);
  });
});

describe("logWithin", () => {
  async function inTransaction(end: "commit" | "rollback", events: AuditEvent[]) {
    const { writer, lines } = newWriter();
    const client = await pool.connect();
    try {
      await client.query("begin");
      const results = [];
      for (const event of events) results.push(await writer.logWithin(client, event));
      await client.query(end);
      return { results, lines };
    } finally {
      client.release();
    }
  }

  test("what is committed is there, what is rolled back is not", async () => {
    const committed = await inTransaction("commit", [{ action: "one", requestId: "committed" }]);
    expect(committed.results).toMatchObject([{ status: "written" }]);
    expect(await rowsOf("committed")).toHaveLength(1);
    await inTransaction("rollback", [{ action: "one", requestId: "rolled back" }]);
    expect(await rowsOf("rolled back")).toEqual([]);
  });

  test("an event that is refused leaves the transaction as it was", async () => {
    const id = "00000000-0000-7000-8000-000000000003";
    const { results, lines } = await inTransaction("commit", [
      { action: "before", requestId: "refused" },
      { action: "refused", requestId: "refused", id },
      { action: "after", requestId: "refused" },
    ]);
    expect(results.map(({ status }) => status)).toEqual(["written", "dropped", "written"]);
    expect((await rowsOf("refused")).map(({ action }) => action)).toEqual(["before", "after"]);
    expect(lines).toMatchObject([{ status: "dropped", code: "23514", event: { id } }]);
  });

  test("outside of a transaction nothing is written", async () => {
    const { writer, lines } = newWriter();
    const result = await writer.logWithin(pool, { action: "alone", requestId: "alone" });
    expect(result).toMatchObject({ status: "dropped" });
    expect(lines).toMatchObject([{ code: "25P01", event: { action: "alone" } }]);
    expect(await rowsOf("alone")).toEqual([]);
  });
});
