import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { AuditAction } from "../../../src/domain/audit_action.js";
import { createIds, PLATFORM_ORGANISATION, prepareEntry } from "../../../src/writer/entry.js";
import { jsonbBytes } from "../../../src/writer/sanitise.js";
import type { AuditEvent } from "../../../src/writer/types.js";

const newId = createIds();
const organisationId = "11111111-1111-1111-1111-111111111111";

/** As somebody without types may call it. */
function prepare(event: unknown) {
  return prepareEntry(event as AuditEvent, () => newId(1_700_000_000_000));
}

function entryOf(event: object) {
  const { entry, failure } = prepare({ action: "user.created", ...event });
  expect(failure).toBeNull();
  return entry;
}

const sanitised = (entry: { details: { sanitised?: unknown } | null }) => entry.details?.sanitised;

test("actions are distinct names of two parts", () => {
  const names = Object.values(AuditAction);
  expect(new Set(names).size).toBe(names.length);
  for (const name of names) expect(name).toMatch(/^[a-z]+\.[a-z]+(_[a-z]+)*$/);
});

describe("ids", () => {
  test("are of the time of the event, and ascend within a millisecond", () => {
    const next = createIds();
    const ids = Array.from({ length: 1000 }, () => next(1_700_000_000_000));
    expect(ids).toEqual([...new Set(ids)].sort());
    const time = Number.parseInt((ids[0] ?? "").replaceAll("-", "").slice(0, 12), 16);
    expect(time).toBe(1_700_000_000_000);
    expect(ids.every((id) => /^[0-9a-f]{8}-[0-9a-f]{4}-7/.test(id))).toBe(true);
    expect(next(1_600_000_000_000) < (ids[0] ?? "")).toBe(true);
  });

  test("of the caller are kept, when they are UUIDv7", () => {
    const id = "01890000-0000-7000-8000-00000000000A";
    expect(entryOf({ id }).id).toBe(id.toLowerCase());
    const replaced = entryOf({ id: "7" });
    expect(replaced.id).toMatch(/^018b/);
    expect(sanitised(replaced)).toEqual({ id: "replaced, as it was no UUIDv7: 7" });
  });
});

describe("whose and who", () => {
  test("the platform's by default, and hopeless when it is nobody's", () => {
    expect(entryOf({}).organisation_id).toBe(PLATFORM_ORGANISATION);
    expect(entryOf({ organisationId }).organisation_id).toBe(organisationId);
    for (const bad of ["", "acme", 7, {}]) {
      const { failure } = prepare({ action: "a", organisationId: bad });
      expect(failure).toMatchObject({ kind: "permanent", message: "organisationId is no UUID" });
    }
  });

  test.each([
    [{}, ["service", null, null]],
    [{ actorId: "a" }, ["user", "a", null]],
    [{ actorId: 7 }, ["user", "7", null]],
    [{ actorId: "" }, ["service", null, null]],
    [{ actorId: "a", impersonatorId: "b" }, ["impersonated", "a", "b"]],
    [{ actorKind: "system" }, ["system", null, null]],
    [{ actorKind: "service", actorId: "job" }, ["service", "job", null]],
    [{ actorKind: "user" }, ["service", null, null]],
    [{ actorKind: "impersonated", actorId: "a" }, ["user", "a", null]],
    [{ actorKind: "system", actorId: "a", impersonatorId: "b" }, ["impersonated", "a", "b"]],
    [{ actorKind: "robot", actorId: "a" }, ["user", "a", null]],
    [{ impersonatorId: "b" }, ["service", null, null]],
  ])("%o", (event, expected) => {
    const entry = entryOf(event);
    expect([entry.actor_kind, entry.actor_id, entry.impersonator_id]).toEqual(expected);
  });

  test("what is left out is noted with its value", () => {
    expect(sanitised(entryOf({ impersonatorId: "b" }))).toEqual({
      impersonatorId: "left out, as there was no actor: b",
    });
  });
});

describe("texts", () => {
  test("are cut to their limits in characters, not in halves of them", () => {
    const entry = entryOf({
      action: "\u{1F600}".repeat(300),
      userAgent: `a${"\u{1F600}".repeat(2000)}`,
      requestId: "r".repeat(200),
    });
    expect([...entry.action]).toHaveLength(200);
    expect([...(entry.user_agent ?? "")]).toHaveLength(1000);
    expect(entry.user_agent).not.toContain("\uFFFD");
    expect(entry.request_id).toHaveLength(200);
    expect(sanitised(entry)).toEqual({
      action: "cut from 600 to 200 characters",
      userAgent: "cut from 4001 to 1000 characters",
    });
  });

  test("lose what Postgres cannot hold", () => {
    const entry = entryOf({
      requestId: "a\0b\ud800c",
      traceId: "\ud83d\ude00",
      userAgent: { a: 1n },
    });
    expect(entry).toMatchObject({
      request_id: "a\uFFFDb\uFFFDc",
      trace_id: "\u{1F600}",
      user_agent: '{"a":"1"}',
    });
    expect(Object.keys(sanitised(entry) as object)).toEqual([
      "userAgent",
      "userAgent.a",
      "requestId",
    ]);
  });

  test("an id that an index would not take is cut", () => {
    const entry = entryOf({ entityType: "t", entityId: "\u{1F600}".repeat(500) });
    expect(entry.entity_id).toBe("\u{1F600}".repeat(500));
    const long = { entityType: "\u{1F600}".repeat(200), entityId: "\u{1F600}".repeat(500) };
    expect(entryOf(long).entity_id).toBe("\u{1F600}".repeat(450));
  });

  test("an entity without a type has an unknown one", () => {
    expect(entryOf({ entityId: 7n })).toMatchObject({ entity_type: "unknown", entity_id: "7" });
    expect(entryOf({ entityType: "" })).toMatchObject({ entity_type: null, entity_id: null });
  });

  test.each([
    ["10.0.0.1", "10.0.0.1"],
    ["10.0.0.0/8", "10.0.0.0/8"],
    ["2001:db8::1", "2001:db8::1"],
    ["::ffff:10.0.0.1", "::ffff:10.0.0.1"],
    ["2001:db8::/32", "2001:db8::/32"],
    [" 10.0.0.1, 10.0.0.2", "10.0.0.1"],
    ["10.0.0.256", null],
    ["10.0.0.1:443", null],
    ["10.0.0.1/33", null],
    ["10.0.0.1/8/8", null],
    ["fe80::1%eth0", null],
    ["localhost", null],
  ])("address %s", (given, expected) => {
    const entry = entryOf({ ipAddress: given });
    expect(entry.ip_address).toBe(expected);
    expect(sanitised(entry) === undefined).toBe(given === expected);
  });
});

describe("documents", () => {
  test("hold what JSON cannot as text, and note it", () => {
    const shared = { a: 1 };
    const circular: unknown[] = [];
    circular.push(circular);
    const entry = entryOf({
      details: {
        date: new Date(0),
        bad: new Date(Number.NaN),
        undefined: undefined,
        list: [undefined, () => {}, Symbol("s")],
        nan: Number.NaN,
        big: 12n,
        map: new Map([[1, new Set(["x"])]]),
        bytes: new Uint8Array(3),
        url: new URL("http://example.test/"),
        error: Object.assign(new Error("broken"), { code: "E1" }),
        shared: [shared, shared],
        circular,
        get getter() {
          throw new Error("no");
        },
        toJson: {
          toJSON() {
            throw "never";
          },
        },
        ["__proto__"]: "a member",
        nul: "\0",
      },
    });
    const { sanitised: notes, ...details } = entry.details ?? {};
    expect(details).toEqual({
      date: "1970-01-01T00:00:00.000Z",
      bad: "[invalid date]",
      list: [null, "[function]", "[symbol]"],
      nan: "NaN",
      big: "12",
      map: { "1": ["x"] },
      bytes: "[3 bytes]",
      url: "http://example.test/",
      error: { name: "Error", message: "broken", code: "E1" },
      shared: [{ a: 1 }, { a: 1 }],
      circular: ["[circular]"],
      getter: "[unreadable: no]",
      toJson: "[unreadable: never]",
      ["__proto__"]: "a member",
      nul: "\uFFFD",
    });
    expect(notes).toMatchObject({
      "details.bad": "invalid date",
      "details.list[1]": "function",
      "details.nan": "no number of JSON, rendered as text",
      "details.circular[0]": "circular",
      "details.getter": "unreadable: no",
      "details.nul": "NUL or half a surrogate pair replaced by U+FFFD",
    });
  });

  test("a document that needs no mending is copied, and a large or odd one comes to the same", () => {
    const plain = { text: "æ", list: [1, -0.5, null, true, { deep: [[]] }], none: undefined };
    const copied = (details: Record<string, unknown>) =>
      prepare({ action: "a", details }).entry.details;
    const details = copied(plain);
    expect(details).toEqual({ text: "æ", list: plain.list });
    (plain.list as unknown[]).push("later");
    expect(details).not.toMatchObject({ list: { 5: "later" } });

    const list = Object.assign([1], { toJSON: () => ["one"] });
    expect(copied({ list, object: { toJSON: () => "said" } })).toEqual({
      list: ["one"],
      object: "said",
    });
    const own = JSON.parse('{"__proto__": {"a": 1}}');
    expect(JSON.stringify(copied(own))).toBe('{"__proto__":{"a":1}}');
    const many = Array.from({ length: 2000 }, (_, n) => n);
    expect(copied({ many })).toEqual({ many });
    expect(copied({ text: "a".repeat(9000) })).toEqual({ text: "a".repeat(9000) });
    expect(copied({ smile: "😀" })).toEqual({ smile: "😀" });
    const getter = Object.defineProperty({}, "a", {
      enumerable: true,
      get: () => {
        throw new Error("no");
      },
    });
    expect(copied({ getter })).toMatchObject({ getter: { a: "[unreadable: no]" } });
    let nested: unknown = "innermost";
    for (let level = 0; level < 40; level++) nested = [nested];
    expect(JSON.stringify(copied({ nested }))).toContain("deeper than 32 levels");
  });

  test("are objects", () => {
    const entry = entryOf({ changes: [1], details: "text" });
    expect(entry.changes).toEqual({ value: [1] });
    expect(entry.details).toMatchObject({ value: "text" });
  });

  test("have a depth and a number of values", () => {
    const deep = JSON.parse(`{"a":${"[".repeat(5000)}${"]".repeat(5000)}}`);
    expect(JSON.stringify(entryOf({ changes: deep }).changes)).toContain("[deeper than 32 levels]");
    const wide = Array.from({ length: 100_000 }, () => ({}));
    const many = Object.fromEntries(wide.map((_, n) => [`key ${n}`, n]));
    expect(sanitised(entryOf({ changes: many }))).toMatchObject({
      changes: expect.stringContaining("cut to 21000 of 100000 members"),
    });
    expect(sanitised(entryOf({ changes: { wide, small: 1, object: {} } }))).toMatchObject({
      "changes.object": "beyond 20000 values",
      "changes.wide": expect.stringContaining("cut to 19999 of 100000 values"),
    });
  });

  test("keep what fits, and tell the size of what does not", () => {
    const entry = entryOf({
      changes: { large: Array(30_000).fill("x"), text: "æ".repeat(60_000), small: 1 },
      details: Object.fromEntries(Array.from({ length: 9000 }, (_, n) => [`key ${n}`, n])),
    });
    expect(entry.changes).toMatchObject({ small: 1 });
    expect(entry.changes?.large).toMatch(/^\[left out: about \d+ bytes\]$/);
    expect(entry.changes?.text).toBe(`${"æ".repeat(1000)}[left out: about 120000 bytes]`);
    expect(Object.keys(entry.details ?? {}).length).toBeGreaterThan(1000);
    expect(jsonbBytes(entry.details)).toBeLessThanOrEqual(65_536);
    expect(sanitised(entry)).toMatchObject({
      changes: expect.stringMatching(/^cut from about \d+ to at most 65536 bytes$/),
      details: expect.stringMatching(/^cut from about \d+ to at most \d+ bytes$/),
    });
  });

  test("note so many changes and count the others", () => {
    const notes = sanitised(entryOf({ details: { list: Array(30).fill(1n) } })) as object;
    expect(Object.keys(notes)).toHaveLength(21);
    expect(notes).toMatchObject({ "...": "and 10 more" });
  });
});

describe("anything", () => {
  test("is prepared without an error, within the limits, and is JSON", () => {
    const value = fc.oneof(
      fc.anything({
        withBigInt: true,
        withDate: true,
        withMap: true,
        withSet: true,
        withNullPrototype: true,
      }),
      fc.string({ unit: "binary", maxLength: 2000 }),
    );
    const names = [
      ...["action", "organisationId", "entityType", "entityId", "actorId", "actorKind", "id"],
      ...["impersonatorId", "changes", "details", "ipAddress", "userAgent", "requestId", "traceId"],
    ];
    const event = fc.record(Object.fromEntries(names.map((name) => [name, value])), {
      requiredKeys: [],
    });
    fc.assert(
      fc.property(event, (each) => {
        const { entry } = prepare(each);
        const json = JSON.stringify(entry);
        expect(JSON.parse(json)).toEqual(JSON.parse(JSON.stringify(JSON.parse(json))));
        expect(json).not.toMatch(/\\u0000|\\ud[89a-f]/);
        expect(jsonbBytes(entry.changes)).toBeLessThanOrEqual(65_536);
        expect(jsonbBytes(entry.details)).toBeLessThanOrEqual(65_536);
        expect([...entry.action].length).toBeLessThanOrEqual(200);
      }),
      { numRuns: 500 },
    );
  });

  test.each([null, undefined, 7, "text"])("%o is an event without an action", (event) => {
    expect(prepare(event).failure).toMatchObject({ message: "the event has no action" });
  });

  test("an event that cannot be read is told as far as it can", () => {
    const event = {
      action: "user.created",
      get actorId() {
        throw new Error("no");
      },
    };
    expect(sanitised(prepare(event).entry)).toEqual({ actorId: "unreadable" });
  });
});
