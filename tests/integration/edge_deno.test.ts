/** The compiled pgtrail/edge in Deno, with supabase-js, against a server that plays PostgREST. */
import { execFile } from "node:child_process";
import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { projectRoot } from "../../scripts/lib/files.js";
import { freePort } from "../../src/cluster/cluster.js";
import { type Answer, startPostgrest } from "../harness/fake_postgrest.js";
import type { FunctionOptions, FunctionReport } from "../runtimes/edge_function.js";

const key = `eyJhbGciOiJIUzI1NiJ9.${Buffer.from('{"role":"service_role"}').toString("base64url")}.c2ln`;
const organisation = "a0000000-0000-4000-8000-000000000000";
const mentor = "a0000000-0000-4000-8000-000000000002";
/** Long enough for a busy machine; a function that is still silent then hangs. */
const deadline = 25_000;

/** Where the compiled modules are. */
let site: string;

beforeAll(async () => {
  site = await mkdtemp(join(tmpdir(), "pgtrail-test-"));
  const config = {
    extends: join(projectRoot, "tsconfig.json"),
    // As a runtime that is not Node: what is Node's does not compile.
    compilerOptions: {
      types: [],
      lib: ["es2023", "dom", "dom.iterable"],
      declaration: false,
      rootDir: projectRoot,
      outDir: site,
    },
    include: [join(projectRoot, "tests/runtimes/edge_function.ts")],
  };
  await writeFile(join(site, "tsconfig.json"), JSON.stringify(config));
  await writeFile(join(site, "package.json"), '{ "type": "module" }');
  await symlink(join(projectRoot, "node_modules"), join(site, "node_modules"));
  const tsc = join(projectRoot, "node_modules/.bin/tsc");
  await promisify(execFile)(tsc, ["-p", join(site, "tsconfig.json")]).catch(({ stdout }) => {
    throw new Error(stdout);
  });
});

afterAll(() => rm(site, { recursive: true, force: true }));

/** Calls the function once, and gives what it saw and what it wrote on standard error. */
async function call(url: string, options: Partial<FunctionOptions> = {}) {
  const given: FunctionOptions = { url, key, timeoutMs: 10_000, hasEdgeRuntime: true, ...options };
  // Rejects when Deno ends with an error, as it does after an unhandled rejection.
  const { stdout, stderr } = await promisify(execFile)(
    join(projectRoot, "node_modules/.bin/deno"),
    [
      "run",
      "--quiet",
      "--no-prompt",
      "--no-lock",
      "--no-remote",
      "--cached-only",
      "--node-modules-dir=manual",
      "--allow-net=127.0.0.1",
      "tests/runtimes/edge_function.js",
      JSON.stringify(given),
    ],
    {
      cwd: site,
      env: { ...process.env, DENO_DIR: join(site, ".deno"), DENO_NO_UPDATE_CHECK: "1" },
      timeout: deadline,
    },
  );
  const report: FunctionReport = JSON.parse(stdout);
  const lines = stderr
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
  return { report, lines, output: stdout + stderr };
}

async function postgrest(answer?: Answer) {
  const server = await startPostgrest(answer);
  onTestFinished(() => server.close());
  return server;
}

test("an event and an evaluation are written, and EdgeRuntime keeps the function alive", async () => {
  const server = await postgrest();
  const { report, lines } = await call(server.url);
  expect(lines).toEqual([]);
  expect(report).toMatchObject({
    body: "awarded",
    kept: 2,
    results: [{ status: "written" }, { status: "written" }],
  });
  const [event, evaluation] = report.results;
  const requests = server.received.sort((a, b) => a.path.localeCompare(b.path));
  expect(requests).toEqual([
    {
      method: "POST",
      path: "/rest/v1/audit_log",
      query: expect.objectContaining({ on_conflict: "id" }),
      headers: expect.objectContaining({
        apikey: key,
        authorization: `Bearer ${key}`,
        prefer: "resolution=ignore-duplicates",
      }),
      body: [
        expect.objectContaining({
          id: event?.id,
          organisation_id: organisation,
          action: "badge.awarded",
          actor_id: "ida",
          actor_kind: "user",
        }),
      ],
    },
    {
      method: "POST",
      path: "/rest/v1/rpc/record_badge_evaluation",
      query: {},
      headers: expect.objectContaining({ apikey: key }),
      body: {
        p_id: evaluation?.id,
        p_org_id: organisation,
        p_peer_mentor_id: mentor,
        p_badges_evaluated: [mentor],
        p_criteria_outcomes: { [mentor]: false },
        p_duration_ms: expect.any(Number),
      },
    },
  ]);
});

test("without EdgeRuntime they are written too", async () => {
  const server = await postgrest();
  const { report, lines } = await call(server.url, { hasEdgeRuntime: false });
  expect(lines).toEqual([]);
  expect(report).toMatchObject({
    kept: 0,
    results: [{ status: "written" }, { status: "written" }],
  });
  expect(server.received).toHaveLength(2);
});

const troubles: { what: string; answer: Answer; code: string; hasEdgeRuntime: boolean }[] = [
  {
    what: "503",
    answer: { status: 503, json: { code: "PGRST001", message: `no database, apikey: ${key}` } },
    code: "PGRST001",
    hasEdgeRuntime: true,
  },
  {
    what: "401",
    answer: { status: 401, json: { message: `Invalid API key: ${key}` } },
    code: "401",
    hasEdgeRuntime: false,
  },
  { what: "a server that hangs", answer: "hang", code: "ETIMEDOUT", hasEdgeRuntime: true },
];

test.each(troubles)(
  "$what: the response is not delayed, each event is on a line, the key is nowhere",
  async ({ answer, code, hasEdgeRuntime }) => {
    const server = await postgrest(answer);
    const timeoutMs = answer === "hang" ? 1000 : 10_000;
    const { report, lines, output } = await call(server.url, { timeoutMs, hasEdgeRuntime });
    expect(report.body).toBe("awarded");
    expect(report.kept).toBe(hasEdgeRuntime ? 2 : 0);
    if (answer === "hang") expect(report.settledAtResponse).toBe(0);
    expectLines(report, lines, code);
    expect(output).not.toContain(key);
    // What was sent was the key, so that its absence says something.
    expect(server.received[0]?.headers.apikey).toBe(key);
  },
);

test("a server that is away: each event is on a line", async () => {
  const { report, lines, output } = await call(`http://127.0.0.1:${await freePort()}`);
  expect(report.body).toBe("awarded");
  expectLines(report, lines, null);
  expect(output).not.toContain(key);
});

function expectLines(
  { results }: FunctionReport,
  lines: { action: string }[],
  code: string | null,
): void {
  expect(results.map(({ status }) => status)).toEqual(["dropped", "dropped"]);
  const [event, evaluation] = results;
  expect(lines.sort((a, b) => a.action.localeCompare(b.action))).toEqual([
    expect.objectContaining({
      type: "audit_write_failed",
      action: "badge.awarded",
      userId: "ida",
      status: "dropped",
      code,
      error: event?.reason,
      eventId: event?.id,
      event: expect.objectContaining({ id: event?.id, organisation_id: organisation }),
    }),
    expect.objectContaining({
      type: "audit_write_failed",
      action: "badge.evaluated",
      code,
      eventId: evaluation?.id,
      event: null,
      evaluation: expect.objectContaining({ id: evaluation?.id, org_id: organisation }),
    }),
  ]);
}
