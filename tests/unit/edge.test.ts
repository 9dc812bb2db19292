import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { createClient } from "@supabase/supabase-js";
import { afterEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { projectRoot } from "../../scripts/lib/files.js";
import type { Database } from "../../src/database_types.js";
import {
  createEdgeAuditLogger,
  type EdgeAuditLoggerOptions,
  type EdgeSupabase,
  type LogResult,
} from "../../src/edge.js";
import { type Answer, startPostgrest } from "../harness/fake_postgrest.js";

const organisation = "a0000000-0000-4000-8000-000000000000";
const mentor = "a0000000-0000-4000-8000-000000000002";
const badge = "b0000000-0000-4000-8000-000000000001";
const uuidV7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const jwt = `eyJhbGciOiJIUzI1NiJ9.${"eyJyb2xlIjoic2VydmljZV9yb2xlIn0"}.c2lnbmF0dXJl_-c2lnbmF0dXJl`;
const event = { action: "badge.awarded", organisationId: organisation, actorId: "ida" };
const evaluation = { org_id: organisation, peer_mentor_id: mentor, duration_ms: 3.2 };

/** What PostgREST answered, as supabase-js tells it. */
interface SupabaseAnswer {
  error: { message: string; code?: string } | null;
  /** 0 when there was no answer. */
  status?: number;
}

/** Stands for the client: gives every request the same answer, and keeps what was sent. */
function fakeSupabase(answer: () => PromiseLike<SupabaseAnswer>) {
  const sent: { name: string; body: unknown }[] = [];
  const signals: AbortSignal[] = [];
  const request = (name: string, body: unknown) => {
    sent.push({ name, body });
    const promise = Promise.resolve().then(answer);
    return {
      // biome-ignore lint/suspicious/noThenProperty: supabase-js has requests that are thenable
      then: promise.then.bind(promise),
      abortSignal(signal: AbortSignal) {
        signals.push(signal);
        return promise;
      },
    };
  };
  const supabase: EdgeSupabase = {
    from: (table) => ({ upsert: (rows) => request(table, rows) }),
    rpc: (name, args) => request(name, args),
  };
  return { supabase, sent, signals };
}

const answering = (answer: SupabaseAnswer) => fakeSupabase(async () => answer);
const accepting = () => answering({ error: null, status: 201 });

/** A logger whose lines are kept. */
function edge(supabase: EdgeSupabase, options: Partial<EdgeAuditLoggerOptions> = {}) {
  const lines: string[] = [];
  const audit = createEdgeAuditLogger({
    supabase,
    logger: { error: (line) => lines.push(line) },
    ...options,
  });
  return { audit, lines };
}

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

describe("log", () => {
  test("writes the event and says nothing", async () => {
    const { supabase, sent } = accepting();
    const { audit, lines } = edge(supabase);
    const result = await audit.log(event);
    expect(result).toEqual({ status: "written", id: expect.stringMatching(uuidV7) });
    expect(sent).toEqual([
      {
        name: "audit_log",
        body: [expect.objectContaining({ id: result.id, actor_id: "ida", actor_kind: "user" })],
      },
    ]);
    expect(lines).toEqual([]);
  });

  test("writes the event as it was at the call", async () => {
    const { supabase, sent } = accepting();
    const { audit } = edge(supabase);
    const details = { step: "before" };
    const result = audit.log({ ...event, details });
    details.step = "after";
    await result;
    expect(sent[0]?.body).toEqual([expect.objectContaining({ details: { step: "before" } })]);
  });

  test("drops an event that no database takes, without asking it", async () => {
    const { supabase, sent } = accepting();
    const { audit, lines } = edge(supabase);
    expect(await audit.log({ ...event, action: "" })).toMatchObject({ status: "dropped" });
    expect(sent).toEqual([]);
    expect(lines).toHaveLength(1);
  });
});

describe("waitUntil", () => {
  test("of the options is given the work", async () => {
    const kept: Promise<unknown>[] = [];
    const { audit } = edge(accepting().supabase, { waitUntil: (promise) => kept.push(promise) });
    const result = audit.log(event);
    expect(kept).toEqual([result]);
    await expect(kept[0]).resolves.toMatchObject({ status: "written" });
  });

  test("of EdgeRuntime is given the work, as its method, also when it came later", async () => {
    const { audit } = edge(accepting().supabase);
    const runtime = {
      kept: [] as Promise<unknown>[],
      waitUntil(promise: Promise<unknown>) {
        this.kept.push(promise);
      },
    };
    vi.stubGlobal("EdgeRuntime", runtime);
    const results = [audit.log(event), audit.insertEvaluationLog(evaluation)];
    expect(runtime.kept).toEqual(results);
    await Promise.all(results);
  });

  test("may throw: the event is written all the same", async () => {
    const { audit } = edge(accepting().supabase, {
      waitUntil() {
        throw new Error("outside of a request");
      },
    });
    expect(await audit.log(event)).toMatchObject({ status: "written" });
  });

  test("is not needed", async () => {
    const { audit } = edge(accepting().supabase);
    expect(await audit.log(event)).toMatchObject({ status: "written" });
  });
});

describe("what did not reach the database", () => {
  const failures: { what: string; answer: SupabaseAnswer; code: string | null; kind: string }[] = [
    {
      what: "a connection refused",
      answer: { error: { message: "TypeError: fetch failed", code: "" }, status: 0 },
      code: null,
      kind: "transient",
    },
    {
      what: "a gateway that says 503",
      answer: { error: { message: "<html>503</html>" }, status: 503 },
      code: "503",
      kind: "transient",
    },
    {
      what: "a database that PostgREST cannot reach",
      answer: { error: { message: "Database client error", code: "PGRST001" }, status: 503 },
      code: "PGRST001",
      kind: "transient",
    },
    {
      what: "a read-only database",
      answer: { error: { message: "read-only transaction", code: "25006" }, status: 405 },
      code: "25006",
      kind: "transient",
    },
    {
      what: "a key that is refused",
      answer: { error: { message: "Invalid API key" }, status: 401 },
      code: "401",
      kind: "transient",
    },
    {
      what: "a body that is too large",
      answer: { error: { message: "too large" }, status: 413 },
      code: "413",
      kind: "permanent",
    },
    {
      what: "a constraint",
      answer: { error: { message: "violates check constraint", code: "23514" }, status: 400 },
      code: "23514",
      kind: "permanent",
    },
    {
      what: "a function that is not there",
      answer: { error: { message: "no such function", code: "PGRST202" }, status: 404 },
      code: "PGRST202",
      kind: "permanent",
    },
  ];

  test.each(failures)("is on the console and with the reporter: $what", async (failure) => {
    const console_ = vi.spyOn(console, "error").mockReturnValue();
    const report = vi.fn();
    const audit = createEdgeAuditLogger({
      supabase: answering(failure.answer).supabase,
      reporter: { report },
    });
    const { id, ...result } = await audit.log({ ...event, entityType: "badge", entityId: badge });
    const message = failure.answer.error?.message;
    expect(result).toEqual({ status: "dropped", reason: message });
    expect(console_).toHaveBeenCalledOnce();
    const [line, ...rest] = console_.mock.calls[0] as string[];
    expect(rest).toEqual([]);
    expect(line).not.toContain("\n");
    expect(JSON.parse(line as string)).toEqual({
      timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      type: "audit_write_failed",
      message: "[AUDIT] Database write failed",
      action: "badge.awarded",
      entityType: "badge",
      entityId: badge,
      userId: "ida",
      error: message,
      code: failure.code,
      eventId: id,
      status: "dropped",
      event: expect.objectContaining({ id, organisation_id: organisation }),
    });
    expect(report.mock.calls).toEqual([
      [
        {
          entry: expect.objectContaining({ id }),
          failure: { kind: failure.kind, code: failure.code, message },
          status: "dropped",
        },
      ],
    ]);
  });

  test("is told without the event where it is not to be logged", async () => {
    const { supabase } = answering({ error: { message: "no" }, status: 500 });
    const { audit, lines } = edge(supabase, { logPayload: false });
    await audit.log(event);
    await audit.insertEvaluationLog(evaluation);
    expect(lines.map((line) => JSON.parse(line))).toEqual([
      expect.objectContaining({ event: null }),
      expect.objectContaining({ event: null, evaluation: null }),
    ]);
  });

  test("is given up on after a time, and the request with it", async () => {
    vi.useFakeTimers();
    const { supabase, signals } = fakeSupabase(() => new Promise(() => {}));
    const { audit, lines } = edge(supabase, { timeoutMs: 700 });
    const settled = vi.fn();
    const result = audit.log(event).finally(settled);
    await vi.advanceTimersByTimeAsync(699);
    expect(settled).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    expect(await result).toMatchObject({
      status: "dropped",
      reason: "the database did not answer within 700 ms",
    });
    expect(signals.map(({ aborted }) => aborted)).toEqual([true]);
    expect(JSON.parse(lines[0] as string)).toMatchObject({ code: "ETIMEDOUT" });
  });

  test("is not what is there already", async () => {
    const message = 'duplicate key value violates unique constraint "audit_log_2026_11_pkey"';
    const { audit, lines } = edge(answering({ error: { message, code: "23505" } }).supabase);
    expect(await audit.log(event)).toMatchObject({ status: "written" });
    expect(lines).toEqual([]);
  });

  test("leaves no timer behind when the database answers", async () => {
    vi.useFakeTimers();
    const { audit } = edge(accepting().supabase);
    await audit.log(event);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("nothing rejects", () => {
  const hostile: { what: string; supabase: EdgeSupabase }[] = [
    {
      what: "a request that rejects",
      supabase: fakeSupabase(() => Promise.reject(new Error("boom"))).supabase,
    },
    {
      what: "a rejection without a reason",
      supabase: fakeSupabase(() => Promise.reject(undefined)).supabase,
    },
    {
      what: "a rejection that is no text",
      supabase: fakeSupabase(() => Promise.reject(Object.create(null))).supabase,
    },
    {
      what: "a client that throws",
      supabase: {
        from() {
          throw new Error("boom");
        },
        rpc() {
          throw new Error("boom");
        },
      },
    },
  ];

  test.each(hostile)("with $what", async ({ supabase }) => {
    const { audit, lines } = edge(supabase);
    expect(await audit.log(event)).toMatchObject({ status: "dropped" });
    expect(await audit.insertEvaluationLog(evaluation)).toMatchObject({ status: "dropped" });
    expect(lines).toHaveLength(2);
  });

  test("with a reporter and a logger that throw", async () => {
    const boom = () => {
      throw new Error("boom");
    };
    const { supabase } = answering({ error: { message: "no" }, status: 500 });
    const { audit } = edge(supabase, { logger: { error: boom }, reporter: { report: boom } });
    expect(await audit.log(event)).toMatchObject({ status: "dropped" });
  });

  test("with an evaluation that cannot be read", async () => {
    const { supabase, sent } = accepting();
    const { audit, lines } = edge(supabase);
    const loop: Record<string, unknown> = { ...evaluation };
    loop.criteria_outcomes = loop;
    const result = await audit.insertEvaluationLog(loop as never);
    expect(result).toMatchObject({ status: "dropped", id: expect.stringMatching(uuidV7) });
    expect(sent).toEqual([]);
    expect(lines).toHaveLength(1);
  });
});

describe("an evaluation", () => {
  test("is recorded with what was given, under one id", async () => {
    const { supabase, sent } = accepting();
    const { audit } = edge(supabase);
    const { id } = await audit.insertEvaluationLog({
      ...evaluation,
      badges_evaluated: [badge],
      criteria_outcomes: { [badge]: true },
      badges_awarded: [badge],
      error_message: `no\0 ${jwt}`,
    });
    expect(id).toMatch(uuidV7);
    expect(sent).toEqual([
      {
        name: "record_badge_evaluation",
        body: {
          p_id: id,
          p_org_id: organisation,
          p_peer_mentor_id: mentor,
          p_duration_ms: 3.2,
          p_badges_evaluated: [badge],
          p_criteria_outcomes: { [badge]: true },
          p_badges_awarded: [badge],
          p_error_message: "no\ufffd [redacted]",
        },
      },
    ]);
  });

  test("keeps the id that it is given", async () => {
    const { supabase, sent } = accepting();
    const id = "019a7b2e-0000-7000-8000-000000000001";
    const { audit } = edge(supabase);
    expect(await audit.insertEvaluationLog({ ...evaluation, id })).toEqual({
      status: "written",
      id,
    });
    expect(sent[0]?.body).toMatchObject({ p_id: id });
  });

  test("that failed is on its line, and not as an entry of audit_log", async () => {
    const { supabase } = answering({ error: { message: "no", code: "57014" }, status: 500 });
    const { audit, lines } = edge(supabase);
    const { id } = await audit.insertEvaluationLog(evaluation);
    expect(JSON.parse(lines[0] as string)).toMatchObject({
      type: "audit_write_failed",
      action: "badge.evaluated",
      entityType: "peer_mentor",
      entityId: mentor,
      eventId: id,
      code: "57014",
      status: "dropped",
      event: null,
      evaluation: { ...evaluation, id },
    });
  });

  test("that failed and does not fit a log event is left out of its line", async () => {
    const { supabase } = answering({ error: { message: "no" }, status: 413 });
    const { audit, lines } = edge(supabase);
    await audit.insertEvaluationLog({
      ...evaluation,
      badges_evaluated: Array.from({ length: 9000 }, () => badge),
    });
    expect(JSON.parse(lines[0] as string)).toMatchObject({ code: "413", evaluation: null });
  });

  test("is measured from its start to its end by a clock that never goes back", async () => {
    let time = 1000;
    vi.spyOn(performance, "now").mockImplementation(() => time);
    const { supabase, sent } = accepting();
    const { audit } = edge(supabase);
    const run = audit.startEvaluation({ org_id: organisation, peer_mentor_id: mentor });
    vi.setSystemTime(new Date("2001-01-01"));
    time += 41.5;
    const result = await run.finish({ error_message: "criteria.timeout" });
    expect(result).toEqual({ status: "written", id: run.id });
    expect(sent[0]?.body).toEqual({
      p_id: run.id,
      p_org_id: organisation,
      p_peer_mentor_id: mentor,
      p_duration_ms: 41.5,
      p_error_message: "criteria.timeout",
    });
  });
});

describe("with supabase-js", () => {
  const key = `sb_secret_${"k".repeat(24)}`;

  async function served(answer?: Answer, options: Partial<EdgeAuditLoggerOptions> = {}) {
    const server = await startPostgrest(answer);
    onTestFinished(() => server.close());
    const supabase = createClient<Database>(server.url, key, {
      // Node 20 has none, and nothing of it is used.
      realtime: { transport: class {} as never },
    });
    return { server, ...edge(supabase, options) };
  }

  test("an event is one insert that leaves alone what is there", async () => {
    const { audit, server } = await served();
    const { id, status } = await audit.log(event);
    expect(status).toBe("written");
    expect(server.received).toMatchObject([
      {
        method: "POST",
        path: "/rest/v1/audit_log",
        query: { on_conflict: "id" },
        headers: { apikey: key, prefer: "resolution=ignore-duplicates" },
        body: [{ id, action: "badge.awarded", organisation_id: organisation }],
      },
    ]);
  });

  test("an evaluation is one call", async () => {
    const { audit, server } = await served({ status: 200, json: mentor });
    expect(await audit.insertEvaluationLog(evaluation)).toMatchObject({ status: "written" });
    expect(server.received).toMatchObject([
      {
        method: "POST",
        path: "/rest/v1/rpc/record_badge_evaluation",
        body: { p_duration_ms: 3.2 },
      },
    ]);
  });

  test.each<{ what: string; answer: Answer; code: string }>([
    { what: "503", answer: { status: 503, html: "<h1>upstream</h1>" }, code: "503" },
    { what: "no answer", answer: "hang", code: "ETIMEDOUT" },
    {
      what: "401 that repeats the key",
      answer: { status: 401, json: { message: `Invalid API key ${key}, apikey: ${jwt}` } },
      code: "401",
    },
  ])("$what is told, and the key is not", async ({ answer, code }) => {
    const timeoutMs = answer === "hang" ? 200 : 20_000;
    const { audit, lines } = await served(answer, { timeoutMs });
    const results = await Promise.all([audit.log(event), audit.insertEvaluationLog(evaluation)]);
    expect(results.map(({ status }) => status)).toEqual(["dropped", "dropped"]);
    expect(lines.map((line) => JSON.parse(line).code)).toEqual([code, code]);
    const output = JSON.stringify([lines, results]);
    expect(output).not.toContain(key);
    expect(output).not.toContain(jwt);
  });

  test("a server that is away is told", async () => {
    const { audit, lines, server } = await served();
    await server.close();
    expect(await audit.log(event)).toMatchObject({ status: "dropped" });
    expect(JSON.parse(lines[0] as string)).toMatchObject({ event: { action: "badge.awarded" } });
  });

  test("the work has begun when the call returns, and has not ended", async () => {
    const { audit, server } = await served("hang", { timeoutMs: 60_000 });
    const settled = vi.fn<(result: LogResult) => void>();
    audit.log(event).then(settled);
    await server.until(1);
    expect(settled).not.toHaveBeenCalled();
    await server.close();
    await vi.waitUntil(() => settled.mock.calls.length > 0, { timeout: 20_000 });
    expect(settled).toHaveBeenCalledWith(expect.objectContaining({ status: "dropped" }));
  });
});

test("no module of it needs Node or a driver", () => {
  const seen = new Set<string>();
  const packages = new Set<string>();
  const visit = (path: string) => {
    if (seen.has(path)) return;
    seen.add(path);
    const source = readFileSync(path, "utf8");
    for (const [, specifier = ""] of source.matchAll(/^(?!import type).*\bfrom "([^"]+)";$/gm)) {
      if (specifier.startsWith(".")) visit(join(dirname(path), specifier.replace(/js$/, "ts")));
      else packages.add(specifier);
    }
  };
  visit(join(projectRoot, "src/edge.ts"));
  expect(seen.size).toBeGreaterThan(3);
  expect([...packages]).toEqual(["uuid"]);
});
