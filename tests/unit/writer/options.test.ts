import { expect, test } from "vitest";
import { systemClock } from "../../../src/writer/clock.js";
import { settingsOf } from "../../../src/writer/options.js";

const transport = async () => {};

test("what is left out has its default", () => {
  expect(settingsOf({ transport })).toMatchObject({
    transport,
    clock: systemClock,
    logPayload: true,
    limits: { maxEntries: 1000, maxBytes: 16 * 1024 * 1024 },
    budgetMs: 1000,
    attemptTimeoutMs: 10_000,
    backoff: { initialMs: 500, maxMs: 30_000 },
    batching: undefined,
  });
});

test("an event waits for others no longer than its budget", () => {
  const batching = { maxEntries: 5, maxDelayMs: 3000 };
  const settings = settingsOf({ transport, budgetMs: 200, batching });
  expect(settings.batching).toEqual({ maxEntries: 5, maxDelayMs: 200 });
});
