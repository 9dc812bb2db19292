import { expect, test } from "vitest";
import { within } from "../../../src/writer/clock.js";
import { guarded } from "../../../src/writer/guarded.js";
import { createTestClock, settled } from "./clock.js";

test("what an application throws or rejects with later ends here", async () => {
  guarded(() => {
    throw new Error("thrown");
  });
  guarded(() => Promise.reject(new Error("rejected")));
  // A rejection that nobody handles would fail the run.
  await settled();
});

test("within waits for a promise, but no longer than the time", async () => {
  const clock = createTestClock();
  await within(clock, 100, Promise.resolve());
  expect(clock.timers).toBe(0);
  let isOver = false;
  void within(clock, 100, new Promise(() => {})).then(() => {
    isOver = true;
  });
  await clock.advance(99);
  expect(isOver).toBe(false);
  await clock.advance(1);
  expect(isOver).toBe(true);
});
