import type pg from "pg";
import { loadEntries, withoutIndexes } from "./entries.js";
import {
  interleave,
  median,
  type Query,
  quantile,
  ratios,
  type Sample,
  sample,
} from "./measure.js";
import { connectReader, makeReader } from "./reader.js";
import { type Report, verdict } from "./report.js";
import type { BenchServer } from "./server.js";
import {
  ACKNOWLEDGEMENT,
  AUDIT_LOG,
  actorId,
  BADGE_EVALUATION,
  coordinatorId,
  entity,
  HLF_SYNC,
  mentorId,
  ORGANISATIONS,
  organisationId,
  type Shape,
} from "./shapes.js";

const ENTRIES = 1_000_000;
const MONTHS = 60;
const LARGE_PART = 0.6;
const PAGE_SIZE = 50;
const DEEP_PAGE = 10_000;

/** A paged RPC, its trail and its filters: what each is, and parameters for an organisation. */
interface Rpc {
  name: string;
  shape: Shape;
  filters: Record<string, (organisation: number) => Record<string, unknown>>;
}

const RPCS: Rpc[] = [
  {
    name: "get_audit_log",
    shape: AUDIT_LOG,
    filters: {
      "one actor": (organisation) => ({ p_actor_id: actorId(organisation, 7) }),
      "one entity": (organisation) => {
        const { type, id } = entity(organisation, 7);
        return { p_entity_type: type, p_entity_id: id };
      },
    },
  },
  {
    name: "get_hlf_sync_audit",
    shape: HLF_SYNC,
    filters: {
      "one mentor": (organisation) => ({ p_mentor_id: mentorId(organisation, 7) }),
      successes: () => ({ p_outcome: "success" }),
      "dead letters": () => ({ p_outcome: "dead_letter" }),
      "dead letters of one mentor": (organisation) => ({
        p_mentor_id: mentorId(organisation, 7),
        p_outcome: "dead_letter",
      }),
    },
  },
  {
    name: "get_coordinator_acknowledgement_audit",
    shape: ACKNOWLEDGEMENT,
    filters: {
      "one coordinator": (organisation) => ({ p_coordinator_id: coordinatorId(organisation, 7) }),
    },
  },
  {
    name: "get_badge_evaluation_logs",
    shape: BADGE_EVALUATION,
    filters: {
      "one peer mentor": (organisation) => ({ p_peer_mentor_id: mentorId(organisation, 7) }),
    },
  },
];

/** Compares reading pages of the trails near and deep, large and small, by cursor and by offset. */
export async function page(server: BenchServer, short: boolean): Promise<Report> {
  const rounds = short ? 20 : 300;
  const database = await server.createDatabase("bench_page");
  try {
    const owner = await database.connect({ role: "pgtrail_owner" });
    for (const { shape } of RPCS) {
      const load = { entries: ENTRIES, months: MONTHS, large: LARGE_PART };
      await withoutIndexes(owner, shape, () => loadEntries(owner, load, shape));
    }
    await makeReader(owner, ORGANISATIONS);
    await database.superuser.query("vacuum analyze");
    const connect = () => connectReader(database);
    const client = await connect();

    const measured: Record<string, Record<string, Sample[]>> = {};
    for (const rpc of RPCS) {
      measured[rpc.name] = {
        ...(await interleave(rounds, await pagesByCursor(client, rpc))),
        ...(await interleave(short ? 2 : 10, {
          "page 1, first call of a connection": async () =>
            sample(await connect(), call(rpc, { p_organisation_id: organisationId(1) })),
        })),
      };
    }
    const deep = { p_organisation_id: organisationId(1), p_page: DEEP_PAGE };
    const offsets = await interleave(short ? 2 : 10, {
      ...Object.fromEntries(
        RPCS.map((rpc) => [
          `page 10,000 by ${rpc.name}'s p_page`,
          () => sample(client, call(rpc, deep)),
        ]),
      ),
      "page 10,000 of audit_log by OFFSET in a plain query": () =>
        sample(client, offsetQuery(organisationId(1), DEEP_PAGE)),
    });

    return {
      title: `pages of ${PAGE_SIZE} of the trails, near and deep`,
      setup:
        `${ENTRIES.toLocaleString("en")} entries of ${MONTHS} months in each trail and ${ORGANISATIONS} organisations, of which one ` +
        `holds ${LARGE_PART * 100}%; analysed, in memory. One reader, as role authenticated under row level security. ` +
        "Of 100 attempts in hlf_sync_audit_log 92 succeed and one is a dead letter. " +
        "Server time is the execution time that EXPLAIN (ANALYZE, TIMING OFF) tells; the round trip includes EXPLAIN and " +
        `the client, but carries no rows. ${rounds} rounds for cursors, fewer for the slow ones, each in turn.`,
      tables: [
        ...Object.entries(measured).map(([name, samples]) => ({
          title: `${name} by cursor`,
          columns: ["query", "server ms, median", "95%", "round trip ms, median", "95%"],
          rows: Object.entries(samples).map(row),
        })),
        {
          title: "The same page without a cursor",
          columns: ["query", "server ms, median", "95%", "round trip ms, median", "95%"],
          rows: Object.entries(offsets).map(row),
        },
        {
          title: "Targets",
          columns: [
            "rpc",
            "page 10,000 against page 1",
            "target",
            "server time of the slower of the two",
            "target",
          ],
          rows: Object.entries(measured).map(targets),
        },
      ],
      raw: { ...measured, offsets },
    };
  } finally {
    await database.drop();
  }
}

/** Near and deep in the large organisation, then each filter in the large and in a small one. */
async function pagesByCursor(
  client: pg.Client,
  rpc: Rpc,
): Promise<Record<string, () => Promise<Sample>>> {
  const large = { p_organisation_id: organisationId(1) };
  const small = { p_organisation_id: organisationId(2) };
  const deep = { ...large, p_cursor: await cursorOfPage(client, rpc, DEEP_PAGE) };
  const cases: Record<string, Record<string, unknown>> = {
    "page 1": large,
    "page 10,000": deep,
    "page 1 of a small organisation": small,
  };
  for (const [filter, parameters] of Object.entries(rpc.filters)) {
    cases[`page 1 of ${filter}`] = { ...large, ...parameters(1) };
    cases[`page 1 of ${filter} of a small organisation`] = { ...small, ...parameters(2) };
  }
  return Object.fromEntries(
    Object.entries(cases).map(([name, parameters]) => [
      name,
      () => sample(client, call(rpc, parameters)),
    ]),
  );
}

/** The page before, fetched by number, ends with the cursor. */
async function cursorOfPage(client: pg.Client, rpc: Rpc, page: number): Promise<string> {
  const { text, values } = call(rpc, { p_organisation_id: organisationId(1), p_page: page - 1 });
  const { rows } = await client.query(text, values);
  const cursor = rows.at(-1)?.next_page;
  if (!cursor) throw new Error(`${rpc.name} has no page ${page}`);
  return cursor;
}

function call(rpc: Rpc, named: Record<string, unknown>): Query {
  const parameters = Object.keys(named).map((name, position) => `${name} => $${position + 1}`);
  return {
    text: `select * from public.${rpc.name}(${parameters.join(", ")}, p_page_size => ${PAGE_SIZE})`,
    values: Object.values(named),
  };
}

function offsetQuery(organisation: string, page: number): Query {
  return {
    text: "select * from public.audit_log where organisation_id = $1 order by id desc offset $2 limit $3",
    values: [organisation, (page - 1) * PAGE_SIZE, PAGE_SIZE],
  };
}

function targets([name, samples]: [string, Record<string, Sample[]>]): string[] {
  const near = times(samples["page 1"] ?? []);
  const far = times(samples["page 10,000"] ?? []);
  const depth = median(ratios(far, near));
  const slowest = Math.max(median(near), median(far));
  return [
    name,
    `${depth.toFixed(2)} x`,
    verdict(depth <= 1.5 && depth >= 1 / 1.5, "within 1.5 x"),
    `${slowest.toFixed(2)} ms`,
    verdict(slowest <= 1, "<= 1 ms"),
  ];
}

function times(samples: Sample[]): number[] {
  return samples.map((each) => each.server);
}

function row([name, samples]: [string, Sample[]]): string[] {
  const roundTrips = samples.map((each) => each.roundTrip);
  return [
    name,
    ...[times(samples), roundTrips].flatMap((values) =>
      [median(values), quantile(values, 0.95)].map((value) => value.toFixed(2)),
    ),
  ];
}
