import { expect, test } from "vitest";
import { createBatches } from "../../../src/writer/batches.js";
import { createTestClock, settled } from "./clock.js";

function setUp() {
  const clock = createTestClock();
  const sent: (readonly number[])[] = [];
  const answers: (() => void)[] = [];
  const batches = createBatches<number>({ maxEntries: 3, maxDelayMs: 5 }, clock, (items) => {
    sent.push(items);
    return new Promise((resolve) => answers.push(resolve));
  });
  return { clock, sent, answers, batches };
}

test("what is alone is sent in the same turn, with what comes in that", async () => {
  const { sent, batches, clock } = setUp();
  batches.add(1);
  batches.add(2);
  expect(sent).toEqual([]);
  await settled();
  expect(sent).toEqual([[1, 2]]);
  expect(clock.timers).toBe(0);
});

test("a full batch is sent at once", () => {
  const { sent, batches } = setUp();
  for (const item of [1, 2, 3]) batches.add(item);
  expect(sent).toEqual([[1, 2, 3]]);
});

test("while one is under way the next waits for its answer, but no longer than the delay", async () => {
  const { sent, answers, batches, clock } = setUp();
  batches.add(1);
  await settled();
  batches.add(2);
  await settled();
  expect(sent).toEqual([[1]]);
  answers[0]?.();
  await settled();
  expect(sent).toEqual([[1], [2]]);
  batches.add(3);
  await clock.advance(5);
  expect(sent).toEqual([[1], [2], [3]]);
});

test("is sent on demand, and nothing without items", () => {
  const { sent, batches } = setUp();
  batches.send();
  batches.add(1);
  batches.send();
  batches.send();
  expect(sent).toEqual([[1]]);
});
