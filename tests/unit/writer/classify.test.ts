import { describe, expect, test } from "vitest";
import { classify } from "../../../src/writer/classify.js";
import { pgError } from "./fake_transport.js";

const plain = (message: string, more: object = {}) => Object.assign(new Error(message), more);

describe("transient", () => {
  test.each([
    ...["08006", "25006", "28P01", "28000", "3D000", "40001", "40P01", "53100", "53300", "55P03"],
    ...["57014", "57P01", "57P03", "58030", "XX000", "99999"],
    ...["ECONNREFUSED", "ECONNRESET", "EPIPE", "ETIMEDOUT", "ENOTFOUND", "EAI_AGAIN"],
    ...["PGRST000", "PGRST001", "PGRST002", "PGRST003", "PGRST301"],
    ...["P1000", "P1001", "P1002", "P1008", "P1017", "P2024", "P2028", "P2034"],
  ])("%s", (code) => {
    expect(classify(pgError(code))).toEqual({ kind: "transient", code, message: `error ${code}` });
  });

  test.each([
    [plain("Connection terminated unexpectedly"), "Connection terminated unexpectedly"],
    [plain("timeout exceeded when trying to connect"), "timeout exceeded when trying to connect"],
    [
      { message: "TypeError: fetch failed", details: "", hint: "", code: "" },
      "TypeError: fetch failed",
    ],
    [{ status: 503, message: "upstream unavailable" }, "upstream unavailable"],
    ["a text", "a text"],
    [undefined, "undefined"],
    [{}, "unknown error"],
  ])("%o, which has no code", (error, message) => {
    expect(classify(error)).toEqual({ kind: "transient", code: null, message });
  });
});

describe("permanent", () => {
  test.each([
    ...["0A000", "22021", "22P02", "22P05", "23502", "23503", "23514", "42501", "42P01", "54000"],
    ...["P0001", "TR003", "PGRST102", "PGRST204", "P2000", "P2003", "P2011"],
  ])("%s", (code) => {
    expect(classify(pgError(code))).toMatchObject({ kind: "permanent", code });
  });

  test("a request that is too large, and what Prisma's schema refuses", () => {
    expect(classify({ status: 413, message: "too large" })).toMatchObject({ kind: "permanent" });
    const refused = plain("Argument missing", { name: "PrismaClientValidationError" });
    expect(classify(refused)).toMatchObject({ kind: "permanent" });
  });

  test("another unique key than the id", () => {
    expect(
      classify(pgError("23505", "duplicate key value", { constraint: "audit_log_request_key" })),
    ).toMatchObject({ kind: "permanent", code: "23505" });
  });
});

describe("duplicate", () => {
  test.each([
    pgError("23505", "duplicate", { constraint: "audit_log_2026_11_pkey" }),
    {
      code: "23505",
      message: 'duplicate key value violates unique constraint "audit_log_2026_11_pkey"',
      details: "Key (id)=(1) already exists.",
      hint: null,
    },
    pgError("23505", "exists"),
    pgError("P2002"),
    plain("raw query failed", { code: "P2010", meta: { code: "23505", message: "exists" } }),
  ])("%o", (error) => {
    expect(classify(error)).toBe("duplicate");
  });
});

describe("wrapped", () => {
  test("the cause is what counts", () => {
    const error = new Error("Failed query: insert", { cause: pgError("22021") });
    expect(classify(error)).toEqual({ kind: "permanent", code: "22021", message: "error 22021" });
    const fetchFailed = new TypeError("fetch failed", { cause: pgError("ECONNREFUSED") });
    expect(classify(fetchFailed)).toMatchObject({ kind: "transient", code: "ECONNREFUSED" });
    const ownCode = plain("wrapped", { code: "ERR_ORM", cause: pgError("23514") });
    expect(classify(ownCode)).toMatchObject({ kind: "permanent", code: "23514" });
  });

  test("of several addresses, each is told once", () => {
    const error = new AggregateError([
      pgError("ECONNREFUSED", "connect ECONNREFUSED ::1:5432"),
      pgError("ECONNREFUSED", "connect ECONNREFUSED 127.0.0.1:5432"),
      pgError("ECONNREFUSED", "connect ECONNREFUSED ::1:5432"),
    ]);
    expect(classify(error)).toEqual({
      kind: "transient",
      code: "ECONNREFUSED",
      message: "connect ECONNREFUSED ::1:5432; connect ECONNREFUSED 127.0.0.1:5432",
    });
  });

  test("PrismaClientInitializationError has its code elsewhere", () => {
    const error = plain("cannot reach", { errorCode: "P1001" });
    expect(classify(error)).toMatchObject({ kind: "transient", code: "P1001" });
  });
});

describe("hostile", () => {
  test("an error that is its own cause, and one that cannot be read", () => {
    const circular = plain("round and round");
    circular.cause = circular;
    expect(classify(circular)).toMatchObject({ kind: "transient", message: "round and round" });
    const unreadable = new Proxy(
      {},
      {
        get() {
          throw new Error("no");
        },
      },
    );
    expect(classify(unreadable)).toEqual({
      kind: "transient",
      code: null,
      message: "unreadable error",
    });
  });
});
