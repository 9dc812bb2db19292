import { expect, test, vi } from "vitest";
import { prepareEntry } from "../../../src/writer/entry.js";
import { failureLine, jsonLine, MAX_LINE_BYTES } from "../../../src/writer/failure_line.js";
import { writeToStderr } from "../../../src/writer/stderr.js";
import type { AuditEntry, AuditEvent } from "../../../src/writer/types.js";

const id = "01890000-0000-7000-8000-000000000001";
const failure = { kind: "transient" as const, code: "ECONNREFUSED", message: "refused" };

function entryOf(event: Partial<AuditEvent>): AuditEntry {
  return prepareEntry({ action: "user.created", ...event }, () => id).entry;
}

function lineOf(entry: AuditEntry, more: object = {}) {
  return failureLine(entry, {
    failure,
    status: "buffered",
    now: 0,
    json: jsonLine(entry),
    ...more,
  });
}

test("says what the alarm needs, and has the entry", () => {
  const entry = entryOf({ entityType: "user", entityId: "7", actorId: "9", details: { a: 1 } });
  expect(JSON.parse(lineOf(entry))).toEqual({
    timestamp: "1970-01-01T00:00:00.000Z",
    type: "audit_write_failed",
    message: "[AUDIT] Database write failed",
    action: "user.created",
    entityType: "user",
    entityId: "7",
    userId: "9",
    error: "refused",
    code: "ECONNREFUSED",
    eventId: id,
    status: "buffered",
    event: entry,
  });
  expect(JSON.parse(lineOf(entry, { json: null }))).toMatchObject({ event: null });
});

test("is one line for every reader of lines", () => {
  const line = lineOf(entryOf({ details: { text: "a\u2028b\u2029c\nd\re" } }));
  expect(line).not.toMatch(/[\n\r\u2028\u2029]/);
  expect(JSON.parse(line).event.details.text).toBe("a\u2028b\u2029c\nd\re");
});

test("has no entry where it would not fit a log event, rather than a part of one", () => {
  // A control character takes one byte in jsonb and six in a line.
  const half = { text: "\u0001".repeat(40_000) };
  expect(JSON.parse(lineOf(entryOf({ details: half }))).event.details).toEqual(half);
  const both = lineOf(entryOf({ changes: half, details: half }));
  expect(Buffer.byteLength(both)).toBeLessThanOrEqual(MAX_LINE_BYTES);
  expect(JSON.parse(both)).toMatchObject({ action: "user.created", eventId: id, event: null });
});

test("holds whatever happens", () => {
  const line = lineOf(entryOf({}), {
    now: Number.POSITIVE_INFINITY,
    failure: { ...failure, message: "x".repeat(1_000_000) },
  });
  expect(JSON.parse(line).error).toHaveLength(2000);
  const huge = { ...entryOf({}), user_agent: "x".repeat(300_000) };
  expect(JSON.parse(lineOf(huge)).event).toBeNull();
});

test("goes to standard error with a line break, and an error there is swallowed", () => {
  const once = vi.spyOn(process.stderr, "once");
  const write = vi.spyOn(process.stderr, "write").mockImplementation(((
    _text: string,
    done: (error?: Error) => void,
  ) => {
    done();
    done(new Error("EPIPE"));
    return true;
  }) as never);
  try {
    writeToStderr("{}");
    expect(write).toHaveBeenCalledWith("{}\n", expect.any(Function));
    expect(once.mock.calls.map(([event]) => event)).toEqual(["error"]);
    expect(process.stderr.emit("error", new Error("EPIPE"))).toBe(true);
  } finally {
    write.mockRestore();
    once.mockRestore();
  }
});
