import { expect, test } from "vitest";
import { addProblem, leftBehind, newTally, type Problem } from "../../../src/replay/tally.js";

const problem = (line: number, kind: Problem["kind"]): Problem => ({
  file: "app.log",
  line,
  id: null,
  kind,
  reason: "a reason",
});

test("each problem is counted by its kind, and is left behind", () => {
  const tally = newTally();
  for (const kind of ["redacted", "refused", "refused", "conflict"] as const) {
    addProblem(tally, problem(1, kind));
  }
  expect(tally).toMatchObject({ failures: 4, redacted: 1, refused: 2, conflicts: 1 });
  expect(leftBehind(tally)).toBe(4);
});

test("all problems are counted, and the first hundred told", () => {
  const tally = newTally();
  const problems = Array.from({ length: 102 }, (_, line) => problem(line, "refused"));
  for (const each of problems) addProblem(tally, each);
  expect(tally.failures).toBe(102);
  expect(tally.problems).toEqual(problems.slice(0, 100));
});
