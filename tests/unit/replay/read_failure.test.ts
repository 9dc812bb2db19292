import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { badgeEvaluations } from "../../../src/domain/badge_evaluations.js";
import { auditLog } from "../../../src/replay/audit_log.js";
import { readFailure } from "../../../src/replay/read_failure.js";
import type { Trail } from "../../../src/replay/trail.js";
import { failureOf, newEntry } from "../../harness/failure_line.js";

const ENTRY_COLUMNS = Object.keys(auditLog.columns);

/** Reads as `pgtrail replay` does, which knows both trails. */
const read = (found: Record<string, unknown>) => readFailure(found, [auditLog, badgeEvaluations]);

const entry = newEntry({ details: { n: 1 }, impersonator_id: null });
const line = (changed: object = {}) => ({ ...failureOf(entry), ...changed });
const withEvent = (changed: object) => line({ event: { ...entry, ...changed } });

test("an event becomes the entry that it is", () => {
  expect(read(line())).toEqual({ kind: "row", trail: auditLog, row: entry });
  expect(read({ ...entry })).toEqual({ kind: "row", trail: auditLog, row: entry });
});

test("what an event leaves out is null", () => {
  const { trace_id: _, ...without } = entry;
  expect(read(line({ event: without }))).toEqual({ kind: "row", trail: auditLog, row: entry });
});

test("an id is that of the database, in lower case", () => {
  const id = entry.id.toUpperCase();
  expect(read(line({ eventId: id, event: { ...entry, id } }))).toEqual({
    kind: "row",
    trail: auditLog,
    row: entry,
  });
});

test("a payload that was kept out of the log is not invented", () => {
  expect(read(line({ event: null }))).toEqual({ kind: "redacted", id: entry.id });
});

test.each([
  ["an eventId that is missing", line({ eventId: undefined }), null, "eventId is no UUIDv7"],
  [
    "a UUID of version 4",
    line({ eventId: "a0000000-0000-4000-8000-000000000000" }),
    null,
    "eventId is no UUIDv7",
  ],
  ["an event that is missing", line({ event: undefined }), entry.id, "event is no object"],
  ["an event that is an array", line({ event: [entry] }), entry.id, "event is no object"],
  [
    "an event that is a text",
    line({ event: JSON.stringify(entry) }),
    entry.id,
    "event is no object",
  ],
  ["another id", withEvent({ id: newEntry().id }), entry.id, "event.id is not eventId"],
  [
    "a column that only the database sets",
    withEvent({ recorded_at: "2020-01-01" }),
    entry.id,
    'unknown column "recorded_at"',
  ],
  [
    "a column that is SQL",
    withEvent({ "id) values (1); --": 1 }),
    entry.id,
    'unknown column "id) values (1); --"',
  ],
  ["a column of Object", withEvent({ toString: "x" }), entry.id, 'unknown column "toString"'],
  [
    "an organisation that is none",
    withEvent({ organisation_id: "x" }),
    entry.id,
    "organisation_id has the wrong shape",
  ],
  ["no action", withEvent({ action: undefined }), entry.id, "action has the wrong shape"],
  [
    "an unknown kind of actor",
    withEvent({ actor_kind: "root" }),
    entry.id,
    "actor_kind has the wrong shape",
  ],
  ["a number for a text", withEvent({ entity_id: 7 }), entry.id, "entity_id has the wrong shape"],
  ["an array for a document", withEvent({ details: [1] }), entry.id, "details has the wrong shape"],
  ["a text for a document", withEvent({ changes: "{}" }), entry.id, "changes has the wrong shape"],
])("%s is refused", (_, found, id, reason) => {
  expect(read(found)).toEqual({ kind: "refused", id, reason });
});

describe("a run of the evaluation of badges", () => {
  const badge = "b0000000-0000-4000-8000-000000000001";
  const evaluation = {
    id: entry.id,
    org_id: entry.organisation_id,
    peer_mentor_id: "c0000000-0000-4000-8000-000000000001",
    duration_ms: 3.2,
  };
  const lineOf = (changed: object) =>
    line({ event: null, evaluation: { ...evaluation, ...changed } });

  test("is what its line says, and null for the rest", () => {
    const given = { badges_evaluated: [badge], criteria_outcomes: { [badge]: true } };
    expect(read(lineOf({ ...given, id: entry.id.toUpperCase() }))).toEqual({
      kind: "row",
      trail: badgeEvaluations,
      row: {
        ...evaluation,
        ...given,
        activity_id: null,
        badges_awarded: null,
        error_message: null,
      },
    });
  });

  test("that was kept out of the log is not invented", () => {
    expect(read(line({ event: null, evaluation: null }))).toEqual({
      kind: "redacted",
      id: entry.id,
    });
  });

  test.each([
    ["another id", { id: newEntry().id }, "evaluation.id is not eventId"],
    ["no organisation", { org_id: undefined }, "org_id has the wrong shape"],
    ["a mentor that is none", { peer_mentor_id: "ida" }, "peer_mentor_id has the wrong shape"],
    ["a duration in words", { duration_ms: "3" }, "duration_ms has the wrong shape"],
    ["an activity that is none", { activity_id: 7 }, "activity_id has the wrong shape"],
    ["a text for badges", { badges_evaluated: badge }, "badges_evaluated has the wrong shape"],
    [
      "badges that are none",
      { badges_awarded: [badge, "x"] },
      "badges_awarded has the wrong shape",
    ],
    ["a list of outcomes", { criteria_outcomes: [] }, "criteria_outcomes has the wrong shape"],
    ["an error that is no text", { error_message: {} }, "error_message has the wrong shape"],
    ["a column that only the database sets", { era: 1 }, 'unknown column "era"'],
  ])("with %s is refused", (_, changed, reason) => {
    expect(read(lineOf(changed))).toEqual({ kind: "refused", id: entry.id, reason });
  });

  test("that is no object is refused", () => {
    expect(read(line({ event: null, evaluation: [evaluation] }))).toEqual({
      kind: "refused",
      id: entry.id,
      reason: "evaluation is no object",
    });
  });

  test("beside an event is left alone", () => {
    expect(read(line({ evaluation }))).toEqual({ kind: "row", trail: auditLog, row: entry });
  });
});

describe("a trail of somebody's own", () => {
  const visits: Trail = {
    name: "visits",
    property: "visit",
    columns: { id: (value) => value === entry.id, door: (value) => value === 7 },
    insert: async () => [],
  };
  const found = (visit: object) => line({ event: null, visit });

  test("is read once it is among the trails", () => {
    const row = { id: entry.id, door: 7 };
    expect(readFailure(found(row), [auditLog, visits])).toEqual({
      kind: "row",
      trail: visits,
      row,
    });
    expect(readFailure(found(row), [auditLog])).toEqual({ kind: "redacted", id: entry.id });
  });

  test("says itself what its columns look like", () => {
    expect(readFailure(found({ id: entry.id, door: 8 }), [auditLog, visits])).toEqual({
      kind: "refused",
      id: entry.id,
      reason: "door has the wrong shape",
    });
  });
});

test("an own property __proto__ is an unknown column", () => {
  const found = JSON.parse(
    JSON.stringify(line()).replace('"organisation_id"', '"__proto__":{},"organisation_id"'),
  );
  expect(read(found)).toMatchObject({
    kind: "refused",
    reason: 'unknown column "__proto__"',
  });
});

test("whatever is found is read without an error, and an entry has the columns of the contract only", () => {
  const value = fc.oneof(fc.jsonValue(), fc.constant(entry.id), fc.constant(null));
  const event = fc.oneof(
    value,
    fc.dictionary(fc.constantFrom(...ENTRY_COLUMNS, "x"), value),
    fc
      .dictionary(fc.constantFrom(...ENTRY_COLUMNS), value, { maxKeys: 2 })
      .map((changed) => ({ ...entry, ...changed })),
  );
  fc.assert(
    fc.property(event, fc.oneof(fc.constant(entry.id), value), (event, eventId) => {
      const reading = read(line({ event, eventId }));
      expect(["row", "redacted", "refused"]).toContain(reading.kind);
      if (reading.kind === "row") expect(Object.keys(reading.row)).toEqual(ENTRY_COLUMNS);
    }),
  );
});
