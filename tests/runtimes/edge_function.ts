/**
 * An Edge Function that records, and its caller. Compiled with the library and run in Deno by
 * tests/integration/edge_deno.test.ts, so nothing here may be Node's. Lines about what was not
 * written are on standard error; the report is on standard output.
 */
import { createClient } from "@supabase/supabase-js";
import { createEdgeAuditLogger, type LogResult } from "../../src/domain/edge.js";

/** What the test wants. */
export interface FunctionOptions {
  url: string;
  key: string;
  timeoutMs: number;
  /** Whether the runtime has EdgeRuntime, as Supabase's does. */
  hasEdgeRuntime: boolean;
}

/** What the function saw. */
export interface FunctionReport {
  body: string;
  /** Promises that EdgeRuntime.waitUntil was given. */
  kept: number;
  /** Results that were there when the caller had the response. */
  settledAtResponse: number;
  results: LogResult[];
}

/** The little that is used of Deno. */
interface DenoLike {
  args: string[];
  serve(
    options: { port: number; hostname: string; onListen(): void },
    handler: () => Response,
  ): { addr: { port: number }; shutdown(): Promise<void> };
}

const deno: DenoLike = Reflect.get(globalThis, "Deno");
const options: FunctionOptions = JSON.parse(deno.args[0] ?? "");
const kept: Promise<unknown>[] = [];
if (options.hasEdgeRuntime) {
  const waitUntil = (promise: Promise<unknown>) => kept.push(promise);
  Object.assign(globalThis, { EdgeRuntime: { waitUntil } });
}

const supabase = createClient(options.url, options.key);
const audit = createEdgeAuditLogger({ supabase, timeoutMs: options.timeoutMs });
const organisation = "a0000000-0000-4000-8000-000000000000";
const mentor = "a0000000-0000-4000-8000-000000000002";
const recorded: Promise<LogResult>[] = [];
let settled = 0;

function handle(): Response {
  const run = audit.startEvaluation({ org_id: organisation, peer_mentor_id: mentor });
  recorded.push(
    audit.log({ action: "badge.awarded", organisationId: organisation, actorId: "ida" }),
    run.finish({ badges_evaluated: [mentor], criteria_outcomes: { [mentor]: false } }),
  );
  for (const result of recorded) result.then(() => settled++);
  return new Response("awarded");
}

const server = deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, handle);
const body = await (await fetch(`http://127.0.0.1:${server.addr.port}/`)).text();
const settledAtResponse = settled;
const report: FunctionReport = {
  body,
  kept: kept.length,
  settledAtResponse,
  results: await Promise.all(recorded),
};
await server.shutdown();
console.log(JSON.stringify(report));
