import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ENTRY_COLUMNS, readFailure } from "../../../src/replay/read_failure.js";
import { failureOf, newEntry } from "../../harness/failure_line.js";

const entry = newEntry({ details: { n: 1 }, impersonator_id: null });
const line = (changed: object = {}) => ({ ...failureOf(entry), ...changed });
const withEvent = (changed: object) => line({ event: { ...entry, ...changed } });

test("an event becomes the entry that it is", () => {
  expect(readFailure(line())).toEqual({ kind: "entry", entry });
  expect(readFailure({ ...entry })).toEqual({ kind: "entry", entry });
});

test("what an event leaves out is null", () => {
  const { trace_id: _, ...without } = entry;
  expect(readFailure(line({ event: without }))).toEqual({ kind: "entry", entry });
});

test("an id is that of the database, in lower case", () => {
  const id = entry.id.toUpperCase();
  expect(readFailure(line({ eventId: id, event: { ...entry, id } }))).toEqual({
    kind: "entry",
    entry,
  });
});

test("a payload that was kept out of the log is not invented", () => {
  expect(readFailure(line({ event: null }))).toEqual({ kind: "redacted", id: entry.id });
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
  expect(readFailure(found)).toEqual({ kind: "refused", id, reason });
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
    expect(readFailure(lineOf({ ...given, id: entry.id.toUpperCase() }))).toEqual({
      kind: "evaluation",
      evaluation: {
        ...evaluation,
        ...given,
        activity_id: null,
        badges_awarded: null,
        error_message: null,
      },
    });
  });

  test("that was kept out of the log is not invented", () => {
    expect(readFailure(line({ event: null, evaluation: null }))).toEqual({
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
    expect(readFailure(lineOf(changed))).toEqual({ kind: "refused", id: entry.id, reason });
  });

  test("that is no object is refused", () => {
    expect(readFailure(line({ event: null, evaluation: [evaluation] }))).toEqual({
      kind: "refused",
      id: entry.id,
      reason: "evaluation is no object",
    });
  });

  test("beside an event is left alone", () => {
    expect(readFailure(line({ evaluation }))).toEqual({ kind: "entry", entry });
  });
});

test("an own property __proto__ is an unknown column", () => {
  const found = JSON.parse(
    JSON.stringify(line()).replace('"organisation_id"', '"__proto__":{},"organisation_id"'),
  );
  expect(readFailure(found)).toMatchObject({
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
      const reading = readFailure(line({ event, eventId }));
      expect(["entry", "redacted", "refused"]).toContain(reading.kind);
      if (reading.kind === "entry") expect(Object.keys(reading.entry)).toEqual(ENTRY_COLUMNS);
    }),
  );
});
