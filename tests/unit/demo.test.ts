import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SAMPLE_SPAN, sampleEvents } from "../../src/demo/events.js";
import { members, samplePlatform } from "../../src/demo/platform.js";
import { seededRandom, uuid4, uuid7 } from "../../src/demo/random.js";
import { type SampleAttempt, sampleTrails } from "../../src/demo/trails.js";

const seeds = fc.integer({ min: 0, max: 2 ** 32 - 1 });
/** From 2000 to 2100, in milliseconds since 1970. */
const times = fc.integer({ min: 946_684_800_000, max: 4_102_444_800_000 });

function timeOf(id: string): number {
  return Number.parseInt(id.replace("-", "").slice(0, 12), 16);
}

describe("seededRandom", () => {
  it("gives the same sequence for the same seed", () => {
    const random = seededRandom(1);
    // mulberry32 of seed 1, from its reference implementation.
    expect([random.bits(), random.bits(), random.bits()]).toEqual([
      2693262067, 11749833, 2265367787,
    ]);
  });

  it("stays within its bounds", () => {
    fc.assert(
      fc.property(seeds, fc.integer(), fc.nat(1000), (seed, min, width) => {
        const value = seededRandom(seed).integer(min, min + width);
        return Number.isInteger(value) && value >= min && value <= min + width;
      }),
    );
  });
});

describe("uuid7", () => {
  it("holds its time, version and variant", () => {
    fc.assert(
      fc.property(seeds, times, (seed, at) => {
        const id = uuid7(at, seededRandom(seed));
        expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
        expect(timeOf(id)).toBe(at);
      }),
    );
  });

  it("differs from uuid4 in its version", () => {
    expect(uuid4(seededRandom(7))).toMatch(
      /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    );
  });
});

describe("the sample platform", () => {
  it("has three organisations, 200 mentors and nobody twice", () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const platform = samplePlatform(seed);
        const people = platform.flatMap(members);
        expect(platform).toHaveLength(3);
        expect(platform.flatMap(({ mentors }) => mentors)).toHaveLength(200);
        expect(new Set(people.map(({ id }) => id)).size).toBe(people.length);
      }),
    );
  });

  it("has a history of about 10,000 events in the order of their time", () => {
    fc.assert(
      fc.property(seeds, times, (seed, start) => {
        const platform = samplePlatform(seed);
        const events = sampleEvents(platform, seed, start);
        const ids = events.map(({ id }) => id);

        expect(events.length).toBeGreaterThan(9_000);
        expect(events.length).toBeLessThan(11_500);
        // As one text, which is compared at once.
        expect(ids.join()).toBe([...new Set(ids)].sort().join());
        expect(timeOf(ids[0] ?? "")).toBeGreaterThanOrEqual(start);
        expect(timeOf(ids.at(-1) ?? "")).toBeLessThan(start + SAMPLE_SPAN);
      }),
      { numRuns: 15 },
    );
  });

  it("has the same history for the same seed and start", () => {
    fc.assert(
      fc.property(seeds, times, (seed, start) => {
        const [one, other] = [0, 0].map(() => sampleEvents(samplePlatform(seed), seed, start));
        expect(one).toEqual(other);
      }),
      { numRuns: 3 },
    );
  });

  it("names who acted as the audit log demands", () => {
    const platform = samplePlatform(1);
    const organisations = new Set(platform.map(({ id }) => id));
    const people = new Set(platform.flatMap(members).map(({ id }) => id));
    for (const event of sampleEvents(platform, 1, 0)) {
      const isPerson = event.actor_kind === "user" || event.actor_kind === "impersonated";
      expect(people.has(event.actor_id ?? "")).toBe(isPerson);
      expect(event.impersonator_id !== undefined).toBe(event.actor_kind === "impersonated");
      expect(organisations).toContain(event.organisation_id);
    }
  });
});

describe("the other trails of the sample platform", () => {
  function sample(seed: number, start: number) {
    const platform = samplePlatform(seed);
    return sampleTrails(platform, sampleEvents(platform, seed, start), seed, start);
  }

  it("lie in the same time, each in its order, and are modest in number", () => {
    fc.assert(
      fc.property(seeds, times, (seed, start) => {
        for (const entries of Object.values(sample(seed, start))) {
          const ids = (entries as { id: string }[]).map(({ id }) => id);
          expect(ids.length).toBeGreaterThan(50);
          expect(ids.length).toBeLessThan(1_000);
          expect(ids).toEqual([...new Set(ids)].sort());
          expect(timeOf(ids[0] ?? "")).toBeGreaterThanOrEqual(start);
          expect(timeOf(ids.at(-1) ?? "")).toBeLessThan(start + SAMPLE_SPAN);
        }
      }),
      { numRuns: 10 },
    );
  });

  it("are the same for the same seed and start", () => {
    expect(sample(7, 1_000_000_000_000)).toEqual(sample(7, 1_000_000_000_000));
  });

  it("retry a sync until it succeeds or is given up", () => {
    const attempts = sample(1814, 1_700_000_000_000).hlf_sync_audit_log;
    const jobs = new Map<string, SampleAttempt[]>();
    for (const attempt of attempts) {
      jobs.set(attempt.sync_job_id, [...(jobs.get(attempt.sync_job_id) ?? []), attempt]);
    }
    for (const job of jobs.values()) {
      expect(job.map(({ retry_count }) => retry_count)).toEqual(job.map((_, i) => i));
      for (const { outcome } of job.slice(0, -1)) expect(outcome).toBe("retryable_failure");
      expect(new Set(job.map(({ mentor_id }) => mentor_id)).size).toBe(1);
    }
    const outcomes = new Set(attempts.map(({ outcome }) => outcome));
    expect(outcomes).toEqual(new Set(["success", "retryable_failure", "dead_letter"]));
    for (const { source, requested_by } of attempts) {
      expect(requested_by !== undefined).toBe(source === "force_sync");
    }
  });

  it("award only what was evaluated as true", () => {
    const evaluations = sample(1814, 1_700_000_000_000).badge_evaluation_logs;
    for (const evaluation of evaluations) {
      const { badges_evaluated, criteria_outcomes, badges_awarded, duration_ms } = evaluation;
      expect(Object.keys(criteria_outcomes)).toEqual(badges_evaluated);
      for (const badge of badges_awarded) expect(criteria_outcomes[badge]).toBe(true);
      expect(duration_ms).toBeGreaterThanOrEqual(1);
    }
    expect(evaluations.some(({ badges_awarded }) => badges_awarded.length > 0)).toBe(true);
    expect(evaluations.some(({ error_message }) => error_message !== undefined)).toBe(true);
  });

  it("refuse events of another platform", () => {
    const events = sampleEvents(samplePlatform(1), 1, 0);
    expect(() => sampleTrails(samplePlatform(2), events, 1, 0)).toThrow("of the platform");
  });
});
