import { describe, expect, test } from "vitest";
import { addedFacts } from "../../../scripts/lib/generate.js";
import { renderMap } from "../../../scripts/lib/map.js";
import type { FoundFact } from "../../../src/doctor/catalog.js";

describe("renderMap", () => {
  const essay = "An event is sealed (`sealing/`), then verified (`verification/`).";
  const entries = [
    { section: "functions/core/verification", text: "pgtrail.verify()" },
    { section: "functions/core/sealing", text: "pgtrail.seal()" },
    { section: "functions/core/sealing", text: "pgtrail._seal_batch()" },
    { section: "functions/core/sealing", text: "pgtrail._begin_era()" },
    { section: "tables", text: "table pgtrail.log" },
  ];

  test("puts tables first, then rooms as the essay names them", () => {
    const map = renderMap("-- head", entries, essay);
    expect(map.replace(/ -+$/gm, "")).toBe(
      [
        "-- head\n",
        "-- tables\n",
        "table pgtrail.log\n",
        "-- functions/core/sealing\n",
        "pgtrail.seal()",
        "pgtrail._seal_batch()",
        "pgtrail._begin_era()\n",
        "-- functions/core/verification\n",
        "pgtrail.verify()\n",
      ].join("\n"),
    );
  });

  test("refuses a room of which the essay says nothing", () => {
    const room = { section: "functions/core/attic", text: "pgtrail.f()" };
    expect(() => renderMap("", [...entries, room], essay)).toThrow(
      "does not name the room `attic/`",
    );
  });
});

describe("addedFacts", () => {
  const fact = (name: string, definition = "1"): FoundFact => ({
    kind: "function",
    name,
    definition,
    remove: "",
  });

  test("gives what was not there before, by kind and name", () => {
    expect(addedFacts("sync", [fact("f")], [fact("f"), fact("g", "2")])).toEqual({
      function: { g: "2" },
    });
  });

  test.each([
    ["is altered", [fact("f", "2")]],
    ["is gone", []],
  ])("refuses a layer by which a fact of one before it %s", (_what, after) => {
    expect(() => addedFacts("sync", [fact("f")], after)).toThrow("layer sync changes function f");
  });
});
