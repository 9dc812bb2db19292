import { expect, test } from "vitest";
import { createAvailability } from "../../../src/writer/availability.js";
import { createTestClock } from "./clock.js";

const backoff = { initialMs: 500, maxMs: 30_000 };

function setUp(random?: () => number) {
  const clock = createTestClock(random);
  const changes: boolean[] = [];
  const availability = createAvailability(clock, backoff, (to) => changes.push(to));
  return { clock, changes, availability };
}

test("one failure closes the way, and one success opens it", async () => {
  const { clock, changes, availability } = setUp();
  expect(availability).toMatchObject({ available: true, wait: 0 });
  availability.begin()?.failed();
  expect(availability).toMatchObject({ available: false, wait: 500 });
  expect(availability.begin()).toBeNull();
  await clock.advance(500);
  availability.begin()?.succeeded();
  expect(availability.available).toBe(true);
  expect(changes).toEqual([false, true]);
});

test("the delay doubles up to its limit, and begins anew after a success", async () => {
  const { clock, availability } = setUp();
  const waits: number[] = [];
  for (let n = 0; n < 9; n += 1) {
    availability.begin()?.failed();
    waits.push(availability.wait);
    await clock.advance(availability.wait);
  }
  expect(waits).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
  availability.begin()?.succeeded();
  availability.begin()?.failed();
  expect(availability.wait).toBe(500);
});

test("jitter takes any part of the delay", () => {
  const { availability } = setUp(() => 0.25);
  availability.begin()?.failed();
  expect(availability.wait).toBe(125);
});

test("after the delay one attempt at a time is let through", async () => {
  const { clock, availability } = setUp();
  availability.begin()?.failed();
  await clock.advance(500);
  const probe = availability.begin();
  expect(probe).not.toBeNull();
  expect(availability.begin()).toBeNull();
  expect(availability.begin(true)).not.toBeNull();
});

test("concurrent failures count once", () => {
  const { availability, changes } = setUp();
  const attempts = [availability.begin(), availability.begin(), availability.begin()];
  for (const attempt of attempts) attempt?.failed();
  expect(availability.wait).toBe(500);
  expect(changes).toEqual([false]);
});

test("an attempt from before does not close the way again, but opens it", async () => {
  const { clock, availability } = setUp();
  const [old, older] = [availability.begin(), availability.begin()];
  availability.begin()?.failed();
  await clock.advance(500);
  availability.begin()?.succeeded();
  old?.failed();
  expect(availability.available).toBe(true);
  availability.begin()?.failed();
  older?.succeeded();
  expect(availability.available).toBe(true);
});

test("a clock that is set back does not keep the way closed", () => {
  const { clock, availability } = setUp();
  availability.begin()?.failed();
  clock.set(clock.now() - 3_600_000);
  expect(availability.begin()).not.toBeNull();
});
