import * as Sentry from "@sentry/node";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { sentryReporter } from "../../../src/reporters/sentry.js";
import { report } from "./reports.js";

/** What the SDK would have sent. */
const sent: Sentry.Event[] = [];

beforeAll(() => {
  Sentry.init({
    dsn: "https://key@sentry.invalid/1",
    defaultIntegrations: false,
    transport: () => ({
      async send([, items]) {
        for (const [{ type }, payload] of items) {
          if (type === "event") sent.push(payload as Sentry.Event);
        }
        return { statusCode: 200 };
      },
      flush: async () => true,
    }),
  });
});

beforeEach(async () => {
  await Sentry.flush();
  sent.length = 0;
});

afterAll(() => Sentry.close());

/** A reporter under a clock that the test sets. */
function reporterAt(ratePerMinute?: number) {
  const clock = { now: 0 };
  return { clock, reporter: sentryReporter(Sentry, { ratePerMinute, now: () => clock.now }) };
}

/** How many were held back, as each of the warnings that were sent says. */
async function heldBack(): Promise<unknown[]> {
  await Sentry.flush();
  return sent.map(({ contexts }) => contexts?.pgtrail?.heldBack);
}

describe("with @sentry/node", () => {
  test("an event that was not written is a warning, one issue for each code", async () => {
    reporterAt().reporter.report(report());
    await Sentry.flush();
    expect(sent).toEqual([
      expect.objectContaining({
        message: "[AUDIT] Database write failed",
        level: "warning",
        fingerprint: ["pgtrail", "audit_write_failed", "ECONNREFUSED"],
        tags: {
          "pgtrail.code": "ECONNREFUSED",
          "pgtrail.kind": "transient",
          "pgtrail.status": "buffered",
        },
        contexts: expect.objectContaining({
          pgtrail: {
            action: "badge.awarded",
            userId: "ida",
            entityType: "badge",
            entityId: "b7",
            organisationId: "a0000000-0000-4000-8000-000000000000",
            eventId: "019a7b2e-0000-7000-8000-000000000001",
            databaseError: "connect ECONNREFUSED",
            heldBack: 0,
          },
        }),
      }),
    ]);
  });

  test("what the event changed and where it came from is not sent", async () => {
    reporterAt().reporter.report(report());
    await Sentry.flush();
    expect(sent).toHaveLength(1);
    expect(JSON.stringify(sent)).not.toMatch(/private|192\.0\.2\.1/);
  });

  test("without a code the issue is that of no code", async () => {
    reporterAt().reporter.report(report({ code: null }));
    await Sentry.flush();
    expect(sent[0]?.fingerprint).toEqual(["pgtrail", "audit_write_failed", "none"]);
  });

  test("no more are sent than the rate allows, and the next says how many were held back", async () => {
    const { clock, reporter } = reporterAt(2);
    for (let i = 0; i < 5; i++) reporter.report(report());
    expect(await heldBack()).toEqual([0, 0]);
    clock.now += 29_999;
    reporter.report(report());
    expect(await heldBack()).toEqual([0, 0]);
    clock.now += 1;
    reporter.report(report());
    expect(await heldBack()).toEqual([0, 0, 4]);
    clock.now += 30_000;
    reporter.report(report());
    expect(await heldBack()).toEqual([0, 0, 4, 0]);
  });

  test("a quiet hour saves up one minute and no more", async () => {
    const { clock, reporter } = reporterAt(3);
    clock.now += 3_600_000;
    for (let i = 0; i < 9; i++) reporter.report(report());
    expect(await heldBack()).toEqual([0, 0, 0]);
  });

  test("by default ten are sent at once", async () => {
    const { reporter } = reporterAt();
    for (let i = 0; i < 30; i++) reporter.report(report());
    expect(await heldBack()).toHaveLength(10);
  });
});

test("an SDK that throws is not noticed, and its event counts as held back", () => {
  let throws = true;
  const contexts: unknown[] = [];
  const reporter = sentryReporter({
    captureMessage(_, context) {
      if (throws) throw new Error("boom");
      contexts.push(context.contexts.pgtrail?.heldBack);
    },
  });
  expect(() => reporter.report(report())).not.toThrow();
  throws = false;
  reporter.report(report());
  expect(contexts).toEqual([1]);
});
