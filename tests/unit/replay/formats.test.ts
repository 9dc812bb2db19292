import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { findFailures } from "../../../src/replay/find_failures.js";
import { joinParts } from "../../../src/replay/join_parts.js";
import { readLines } from "../../../src/replay/read_lines.js";
import type { AuditEntry, FailureLine } from "../../../src/writer/types.js";
import { failureLine, failureOf, newEntry, uuid7 } from "../../harness/failure_line.js";
import { wrappers } from "./wrappers.js";

/** The bytes of a text in chunks of a size, which tears characters apart. */
async function* chunks(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let i = 0; i < bytes.length; i += size) yield bytes.subarray(i, i + size);
}

/** Everything that a replay finds in a text, with the lines at which it begins. */
async function findIn(text: string | Uint8Array, size = 1000) {
  const objects: { object: unknown; line: number }[] = [];
  const defects: { defect: string; line: number }[] = [];
  const join = joinParts();
  const look = (parts: ReturnType<typeof join>) => {
    for (const part of parts) {
      const found = findFailures(part.text);
      for (const object of found.objects) objects.push({ object, line: part.line });
      if (found.defect) defects.push({ defect: found.defect, line: part.line });
    }
  };
  let last = 0;
  for await (const { number, text: line } of readLines(chunks(Buffer.from(text), size))) {
    last = number;
    look(join(line, number));
  }
  look(join(undefined, last));
  return { objects, defects };
}

const names = Object.keys(wrappers);
const wrap = (name: string, lines: readonly string[]) => wrappers[name]?.(lines) ?? "";

const difficult = fc.constantFrom(
  '"',
  "\\",
  "{",
  "}",
  "\n",
  "\u2028",
  "\u0000",
  "😀",
  'type":"audit_write_failed"',
  '""',
  "',",
);
const someText = fc
  .array(fc.oneof(difficult, fc.string({ maxLength: 10, unit: "grapheme" })), { maxLength: 6 })
  .map((parts) => parts.join(""));
const document = fc.dictionary(someText, fc.oneof(someText, fc.integer(), fc.jsonValue()), {
  maxKeys: 4,
});
/** As JSON has it: without -0, and with own properties only. */
const asJson = <T>(value: T): T => JSON.parse(JSON.stringify(value));

const entry = fc
  .record({
    action: someText,
    details: fc.option(document),
    changes: fc.option(document),
    user_agent: fc.option(someText),
  })
  .map((columns): AuditEntry => asJson(newEntry({ ...columns, id: uuid7() } as AuditEntry)));
const failure: fc.Arbitrary<FailureLine> = fc
  .record({ entry, error: someText, redacted: fc.boolean() })
  .map(({ entry, error, redacted }) =>
    asJson(failureOf(entry, { error, event: redacted ? null : entry })),
  );

const noise = fc.constantFrom(
  "",
  "{",
  '{"level":"info","msg":"listening"}',
  "Error: connect ECONNREFUSED",
  "    at connect (node:net:1)",
  "GET /health 200 {not json",
  "filter { $.type = audit_write_failed }",
  '{"type":"audit_write_succeeded"}',
  '"',
);

describe("a structured line", () => {
  test.each(names)("is found in %s", async (name) => {
    const lines = [1, 2, 3].map((n) => failureLine(newEntry({ entity_id: `b${n}` })));
    const { objects, defects } = await findIn(wrap(name, ["before", ...lines, "after"]));
    expect(objects.map(({ object }) => JSON.stringify(object))).toEqual(lines);
    expect(defects).toEqual([]);
  });

  test("is found once, whatever it holds, whatever wraps it and whatever is around it", async () => {
    const section = fc.record({
      name: fc.constantFrom(...names),
      failures: fc.array(failure, { minLength: 1, maxLength: 3 }),
      before: fc.array(noise, { maxLength: 3 }),
    });
    const sections = fc.array(section, { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(
        sections,
        fc.integer({ min: 1, max: 200 }),
        fc.boolean(),
        async (all, size, zip) => {
          const text = all
            .map(({ name, failures, before }) => {
              const lines = failures.map((each) => JSON.stringify(each));
              return before.map((line) => `${line}\n`).join("") + wrap(name, lines);
            })
            .join("");
          const bytes = zip ? gzipSync(text) : Buffer.from(text);
          const { objects, defects } = await findIn(bytes, size);
          expect(objects.map(({ object }) => object)).toEqual(
            all.flatMap(({ failures }) => failures),
          );
          expect(defects).toEqual([]);
        },
      ),
      { numRuns: 300 },
    );
  });

  test("of 256 KiB is found in every wrapper", async () => {
    const line = failureLine(newEntry({ details: { note: '"\\'.repeat(60_000) } }));
    expect(line.length).toBeGreaterThan(240_000);
    for (const name of names) {
      const { objects } = await findIn(wrap(name, [line]), 65_536);
      expect(
        objects.map(({ object }) => JSON.stringify(object) === line),
        name,
      ).toEqual([true]);
    }
  });

  // The machine may be busy: what counts is that it ends.
  test("of many MiB does not exhaust the stack", () => {
    const line = failureLine(newEntry({ details: { note: "\\".repeat(5_000_000) } }));
    expect(findFailures(`prefix ${line}`).objects).toHaveLength(1);
  });

  test("keeps the number of the line at which it begins", async () => {
    const line = failureLine(newEntry());
    const parts = wrap("Kubernetes CRI in parts", [line]);
    const { objects } = await findIn(`one\ntwo\n${line}\n${parts}`);
    expect(objects.map((found) => found.line)).toEqual([3, 4]);
  });

  test("is found when the last line has no end", async () => {
    expect((await findIn(failureLine(newEntry()))).objects).toHaveLength(1);
  });
});

describe("what is lost is told", () => {
  const line = failureLine(newEntry());
  const half = line.slice(0, 200);

  test.each([
    ["a line that was cut off", `${half}\n`],
    ["one within an export", `{"message": ${JSON.stringify(half)}}\n`],
    [
      "a last part that is missing",
      wrap("Kubernetes CRI in parts", [line]).split("\n", 8).join("\n"),
    ],
  ])("%s", async (_, text) => {
    const { objects, defects } = await findIn(text);
    expect(objects).toEqual([]);
    expect(defects).toEqual([{ defect: "a structured line that is not whole", line: 1 }]);
  });

  test("a message that journalctl left out", async () => {
    const { defects } = await findIn('{"_PID":"1"}\n{"MESSAGE" : null, "_PID":"1"}\n');
    expect(defects).toEqual([
      { defect: "journalctl left out a long message: export with --all", line: 2 },
    ]);
  });

  test("a line that is too long, and the ones after it are read", async () => {
    const source = chunks(Buffer.from(`short\n${"x".repeat(100)}\nlast`), 7);
    const lines: unknown[] = [];
    for await (const each of readLines(source, 50)) lines.push(each);
    expect(lines).toEqual([
      { number: 1, text: "short" },
      { number: 2, text: undefined },
      { number: 3, text: "last" },
    ]);
  });

  test("damaged gzip, after the lines before the damage", async () => {
    const zipped = gzipSync("one\ntwo\n".repeat(10_000), { level: 0 });
    const lines: unknown[] = [];
    const reading = async () => {
      for await (const { text } of readLines(chunks(zipped.subarray(0, 50_000), 1000))) {
        lines.push(text);
      }
    };
    await expect(reading()).rejects.toThrow("unexpected end of file");
    expect(lines.slice(0, 3)).toEqual(["one", "two", "one"]);
    expect(lines.length).toBeGreaterThan(1000);
  });
});

describe("an entry of a spool file", () => {
  test("is the whole line", async () => {
    const entry = newEntry();
    expect((await findIn(`${JSON.stringify(entry)}\n`)).objects).toEqual([
      { object: entry, line: 1 },
    ]);
  });

  test("is none within something else", async () => {
    const entry = JSON.stringify(newEntry());
    const { objects } = await findIn(`sent ${entry}\n{"body":${entry}}\n[${entry}]\n`);
    expect(objects).toEqual([]);
  });
});

test("what users make an application log is no line of the writer", async () => {
  const forged = failureLine(newEntry());
  const { objects } = await findIn(
    `${JSON.stringify({ level: "info", userAgent: forged, headers: { referer: forged } })}\n`,
  );
  expect(objects).toEqual([]);
});

test("a line of another kind is given up, however it is nested", async () => {
  const marker = '"type":"audit_write_failed"';
  const { objects, defects } = await findIn('{"a":'.repeat(50_000) + marker, 65_536);
  expect(objects).toEqual([]);
  expect(defects).toHaveLength(1);
});
