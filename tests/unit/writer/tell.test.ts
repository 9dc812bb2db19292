import { expect, test } from "vitest";
import { createTell, jsonOf } from "../../../src/writer/tell.js";
import type { FailureLine } from "../../../src/writer/types.js";
import { entryWith } from "../../harness/entries.js";
import { createTestClock } from "./clock.js";
import { noCounts } from "./counts.js";

const failure = { kind: "transient", code: "57P01", message: "gone" } as const;
const about = () => ({ entry: entryWith("a"), json: null });

function setUp({ logPayload = true, fails = false } = {}) {
  const lines: FailureLine[] = [];
  const told: string[] = [];
  const counts = noCounts();
  const logger = (line: string) => {
    if (fails) throw new Error("disk full");
    lines.push(JSON.parse(line));
  };
  const reporter = { report: ({ status }: { status: string }) => told.push(`report ${status}`) };
  const onDrop = ({ status }: { status: string }) => told.push(`drop ${status}`);
  const tell = createTell(
    { clock: createTestClock(), logger, logPayload, reporter, onDrop },
    counts,
  );
  return { tell, lines, told, counts };
}

test("writes a line with the entry, and tells whoever wants to know", () => {
  const { tell, lines, told } = setUp();
  expect(tell(about(), failure, "buffered")).toBe(true);
  expect(tell(about(), failure, "evicted", false)).toBe(true);
  expect(lines).toMatchObject([
    { status: "buffered", error: "gone", event: { id: "a" } },
    { status: "evicted", event: null },
  ]);
  expect(told).toEqual(["report buffered", "report dropped", "drop evicted"]);
});

test("leaves the entry out on demand", () => {
  const { tell, lines } = setUp({ logPayload: false });
  tell(about(), failure, "dropped");
  expect(lines).toMatchObject([{ eventId: "a", event: null }]);
});

test("counts a line that the logger did not take, and tells the others all the same", () => {
  const { tell, told, counts } = setUp({ fails: true });
  expect(tell(about(), failure, "dropped")).toBe(false);
  expect(counts.linesLost).toBe(1);
  expect(told).toEqual(["report dropped", "drop dropped"]);
});

test("renders an entry once", () => {
  const rendered = { entry: entryWith("a"), json: null };
  const json = jsonOf(rendered);
  rendered.entry.action = "other";
  expect(jsonOf(rendered)).toBe(json);
});
