import { describe, expect, test, vi } from "vitest";
import { createAvailability } from "../../../src/writer/availability.js";
import { createDeliver, createInsert } from "../../../src/writer/deliver.js";
import type { AuditEntry, Transport } from "../../../src/writer/types.js";
import { entryWith } from "../../harness/entries.js";
import { createTestClock, settled } from "./clock.js";
import { pgError } from "./fake_transport.js";

const entries = (...ids: string[]) => ids.map((id) => entryWith(id));

describe("an insert", () => {
  test("resolves with what was thrown, and why it failed", async () => {
    const error = pgError("22P02", "poison");
    const insert = createInsert(() => Promise.reject(error), createTestClock(), 100);
    const failure = { kind: "permanent", code: "22P02", message: "poison" };
    expect(await insert(entries("a"), () => {})).toEqual({ failure, error });
  });

  test("survives a transport that throws at once", async () => {
    const transport = () => {
      throw pgError("ECONNREFUSED");
    };
    const insert = createInsert(transport, createTestClock(), 100);
    expect(await insert([], () => {})).toMatchObject({ failure: { kind: "transient" } });
  });

  test("is over and aborted when its time is, and tells when it is done all the same", async () => {
    const clock = createTestClock();
    let finish = () => {};
    let aborted: AbortSignal | undefined;
    const transport: Transport = (_entries, signal) => {
      aborted = signal;
      return new Promise((resolve) => {
        finish = resolve;
      });
    };
    const late = vi.fn();
    const outcome = createInsert(transport, clock, 100)(entries("a"), late);
    await clock.advance(100);
    expect(await outcome).toMatchObject({ failure: { message: "no answer within 100 ms" } });
    expect(aborted?.aborted).toBe(true);
    expect(late).not.toHaveBeenCalled();
    finish();
    await settled();
    expect(late).toHaveBeenCalledOnce();
  });
});

describe("deliver", () => {
  /** @param answer what the database says to entries of these ids; undefined when it takes them */
  function setUp(answer: (ids: string) => Error | undefined) {
    const calls: string[] = [];
    const told: string[] = [];
    const clock = createTestClock();
    const availability = createAvailability(clock, { initialMs: 500, maxMs: 30_000 });
    const transport = async (sent: readonly AuditEntry[]) => {
      const ids = sent.map(({ id }) => id).join("");
      calls.push(ids);
      const error = answer(ids);
      if (error) throw error;
    };
    const deliver = createDeliver<{ entry: AuditEntry }>(
      createInsert(transport, clock, 100),
      availability,
      {
        written: ({ entry }) => told.push(`${entry.id} written`),
        failed: ({ entry }, { kind }) => told.push(`${entry.id} ${kind}`),
      },
    );
    const send = (...ids: string[]) => {
      const attempt = availability.begin(true);
      if (!attempt) throw new Error("no attempt");
      return deliver(
        entries(...ids).map((entry) => ({ entry })),
        attempt,
      );
    };
    return { calls, told, availability, send };
  }

  test("tells of each that it is written", async () => {
    const { send, told } = setUp(() => undefined);
    expect(await send("a", "b")).toBeNull();
    expect(told).toEqual(["a written", "b written"]);
  });

  test("halves until what is refused stands alone", async () => {
    const { send, told, calls, availability } = setUp((ids) =>
      ids.includes("c") ? pgError("22P02") : undefined,
    );
    expect(await send("a", "b", "c", "d")).toBeNull();
    expect(calls).toEqual(["abcd", "ab", "cd", "c", "d"]);
    expect(told).toEqual(["a written", "b written", "c permanent", "d written"]);
    expect(availability.available).toBe(true);
  });

  test("one that is there already is written", async () => {
    const { send, told } = setUp((ids) => (ids.includes("b") ? pgError("23505") : undefined));
    expect(await send("a", "b")).toBeNull();
    expect(told).toEqual(["a written", "b written"]);
  });

  test("asks no more when the database goes away, and says why", async () => {
    const { send, told, calls, availability } = setUp((ids) =>
      ids.length > 1 ? pgError("22P02") : pgError("57P01"),
    );
    expect(await send("a", "b")).toMatchObject({ code: "57P01" });
    expect(calls).toEqual(["ab", "a"]);
    expect(told).toEqual(["a transient", "b transient"]);
    expect(availability.available).toBe(false);
  });

  test("without items, any answer says that the database is there", async () => {
    const { send, availability } = setUp(() => pgError("42501"));
    availability.begin()?.failed();
    expect(await send()).toBeNull();
    expect(availability.available).toBe(true);
  });
});
