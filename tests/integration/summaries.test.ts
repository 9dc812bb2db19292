import fc from "fast-check";
import type pg from "pg";
import { beforeAll, describe, expect, test } from "vitest";
import { ids, useCluster, useDatabase } from "../harness/index.js";
import { seal } from "../harness/log.js";

const cluster = useCluster({ fsync: "off" });
const database = useDatabase(cluster);

const outcomes = ["success", "retryable_failure", "dead_letter"] as const;
type Outcome = (typeof outcomes)[number];

/** Bounds of a summary. Null is open. */
type Bound = Date | null;

/** The first of the months in which events take place. */
const firstMonth = Date.UTC(2026, 7, 1);
const minutes = 60_000;

beforeAll(async () => {
  await database.as("service", (client) =>
    client.query("select public.prepare_audit_backfill('hlf_sync_audit_log', $1)", [
      new Date(firstMonth - 40 * 24 * 60 * minutes),
    ]),
  );
});

async function record(
  client: Pick<pg.ClientBase, "query">,
  organisation: string,
  outcome: Outcome,
  at: Date,
): Promise<string> {
  const { rows } = await client.query<{ id: string }>(
    `insert into public.hlf_sync_audit_log (id, organisation_id, mentor_id, sync_direction, outcome, source)
     values (pgtrail.uuid7($1), $2, $3, 'remove', $4, 'nightly_batch') returning id`,
    [at, organisation, ids.coordinatorA, outcome],
  );
  return (rows[0] as { id: string }).id;
}

/** Entries and time of the last one, by outcome. */
type Counts = Record<string, [entries: number, lastAt: string]>;

/** Summary and brute force, in one statement and so in one snapshot. */
async function bothCounts(organisation: string, from: Bound, to: Bound) {
  const persona = organisation === ids.organisationA ? "coordinatorA" : "coordinatorB";
  const { rows } = await database.as(persona, (client) =>
    client.query<{ summary: Counts; counted: Counts }>(
      `select
         (
           select coalesce(jsonb_object_agg(bucket, jsonb_build_array(entries, last_at)), '{}')
           from pgtrail.summary('hlf_sync_audit_log', $1, $2, $3)
         ) as summary,
         (
           select coalesce(jsonb_object_agg(outcome, jsonb_build_array(entries, last_at)), '{}')
           from (
             select outcome, count(*) as entries, max(attempted_at) as last_at
             from public.hlf_sync_audit_log
             where organisation_id = $1
               and ($2::timestamptz is null or attempted_at >= $2)
               and ($3::timestamptz is null or attempted_at < $3)
             group by outcome
           ) as part
         ) as counted`,
      [organisation, from, to],
    ),
  );
  return rows[0] as { summary: Counts; counted: Counts };
}

/** Takes entries away as a purge does, with its recount in the same transaction. */
async function purge(condition: string, parameters: unknown[]): Promise<number> {
  const client = await database.superuser.connect();
  try {
    await client.query("begin");
    await client.query("alter table public.hlf_sync_audit_log disable trigger all");
    const { rows } = await client.query<{ at: Date }>(
      `delete from public.hlf_sync_audit_log where ${condition} returning attempted_at as at`,
      parameters,
    );
    const times = rows.map(({ at }) => at.getTime());
    if (times.length > 0) {
      await client.query("select pgtrail.recount('public.hlf_sync_audit_log', $1, $2)", [
        new Date(Math.min(...times)),
        new Date(Math.max(...times) + 1),
      ]);
    }
    await client.query(
      `do $$ declare guard record; begin
         for guard in
           select tgrelid::regclass as relation, tgname from pg_trigger
           where tgrelid in (select relid from pg_partition_tree('public.hlf_sync_audit_log'))
         loop
           execute format('alter table %s enable always trigger %I', guard.relation, guard.tgname);
         end loop;
       end $$`,
    );
    await client.query("commit");
    client.release();
    return times.length;
  } catch (error) {
    client.release(true);
    throw error;
  }
}

const time = fc.oneof(
  // Few hours, with their ends, so that bounds and events often fall on each other.
  fc
    .tuple(fc.integer({ min: 0, max: 3 }), fc.constantFrom(-1, 0, 1, 30 * minutes))
    .map(([hour, offset]) => new Date(Date.UTC(2026, 8, 1) + (hour - 2) * 60 * minutes + offset)),
  fc
    .integer({ min: 0, max: 100 * 24 * 60 })
    .map((minute) => new Date(firstMonth + minute * minutes)),
);
const bound = fc.oneof({ weight: 1, arbitrary: fc.constant(null) }, { weight: 4, arbitrary: time });
const organisation = fc.constantFrom(ids.organisationA, ids.organisationB);

type Step =
  | { kind: "record"; organisation: string; outcome: Outcome; at: Date; rollback: boolean }
  | { kind: "hold"; organisation: string; outcome: Outcome; at: Date }
  | { kind: "release"; rollback: boolean }
  | { kind: "seal"; entries: number }
  | { kind: "purge"; from: Date; to: Date; outcome: Outcome };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("record" as const),
      organisation,
      outcome: fc.constantFrom(...outcomes),
      at: time,
      rollback: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("hold" as const),
      organisation,
      outcome: fc.constantFrom(...outcomes),
      at: time,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("release" as const), rollback: fc.boolean() }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("seal" as const),
      entries: fc.integer({ min: 1, max: 6 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("purge" as const),
      from: time,
      to: time,
      outcome: fc.constantFrom(...outcomes),
    }),
  },
);

describe("a summary", () => {
  test("is the brute-force count and what a model says, whatever was written, sealed, taken back or purged", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 25 }),
        fc.array(fc.tuple(organisation, bound, bound), { minLength: 2, maxLength: 6 }),
        async (steps, questions) => {
          let model: { organisation: string; outcome: Outcome; at: Date }[] = [];
          const held: { client: pg.PoolClient; entry: (typeof model)[number] }[] = [];
          await purge("true", []);
          try {
            for (const each of steps) {
              if (each.kind === "record") {
                const work = (client: pg.ClientBase) =>
                  record(client, each.organisation, each.outcome, each.at);
                await database.as("service", work, { rollback: each.rollback });
                if (!each.rollback) model.push(each);
              } else if (each.kind === "hold") {
                const client = await database.superuser.connect();
                await client.query("begin");
                await record(client, each.organisation, each.outcome, each.at);
                held.push({ client, entry: each });
              } else if (each.kind === "release") {
                const first = held.shift();
                if (!first) continue;
                await first.client.query(each.rollback ? "rollback" : "commit");
                first.client.release();
                if (!each.rollback) model.push(first.entry);
              } else if (each.kind === "seal") {
                await seal(database.superuser, each.entries);
              } else if (held.length === 0) {
                // A purge waits for writers.
                const isPurged = (entry: (typeof model)[number]) =>
                  entry.outcome === each.outcome && entry.at >= each.from && entry.at < each.to;
                const purged = await purge(
                  "outcome = $1 and attempted_at >= $2 and attempted_at < $3",
                  [each.outcome, each.from, each.to],
                );
                expect(purged).toBe(model.filter(isPurged).length);
                model = model.filter((entry) => !isPurged(entry));
              }
            }
            for (const [of, from, to] of questions) {
              const { summary, counted } = await bothCounts(of, from, to);
              expect(summary).toEqual(counted);
              const expected = model.filter(
                (entry) =>
                  entry.organisation === of &&
                  (from === null || entry.at >= from) &&
                  (to === null || entry.at < to),
              );
              expect(
                Object.fromEntries(Object.entries(summary).map(([bucket, [n]]) => [bucket, n])),
              ).toEqual(
                Object.fromEntries(
                  outcomes
                    .map((outcome) => [
                      outcome,
                      expected.filter((entry) => entry.outcome === outcome).length,
                    ])
                    .filter(([, n]) => n !== 0),
                ),
              );
            }
            const { rows } = await database.superuser.query(
              "select * from pgtrail.verify_rollups()",
            );
            expect(rows).toEqual([]);
          } finally {
            for (const { client } of held) {
              await client.query("rollback");
              client.release();
            }
          }
        },
      ),
      { numRuns: 60 },
    );
  }, 240_000);

  test("is exact in every snapshot while writers write and a sealer seals", async () => {
    await purge("true", []);
    const stop = new AbortController();
    const writers = [0, 1, 2].map(async (n) => {
      for (let written = 0; !stop.signal.aborted; written++) {
        await database.as(
          "service",
          async (client) => {
            for (let i = 0; i < 5; i++) {
              const at = new Date(firstMonth + ((written * 97 + i * 31 + n) % 144_000) * minutes);
              await record(client, ids.organisationA, outcomes[(written + i) % 3] as Outcome, at);
            }
          },
          { rollback: written % 4 === 3 },
        );
      }
    });
    const sealer = (async () => {
      while (!stop.signal.aborted) await seal(database.superuser, 40);
    })();

    let compared = 0;
    try {
      for (let last = 0; compared < 60 || last < 1_000; compared++) {
        const to = compared % 2 ? null : new Date(firstMonth + 50 * 24 * 60 * minutes + 12_345);
        const { summary, counted } = await bothCounts(ids.organisationA, null, to);
        expect(summary).toEqual(counted);
        last = Object.values(counted).reduce((sum, [n]) => sum + n, 0);
      }
    } finally {
      stop.abort();
      await Promise.all([...writers, sealer]);
    }

    const { rows } = await database.superuser.query("select * from pgtrail.verify_rollups()");
    expect(rows).toEqual([]);
  });

  test("has what could not be sealed, once", async () => {
    await purge("true", []);
    await seal(database.superuser);
    // json_build_array cannot render an infinite time as a number: such an entry is set aside.
    await database.superuser.query(
      `set role pgtrail_owner;
       create table public.visit_log (
         id uuid primary key default pgtrail.uuid7(),
         visited_at timestamptz generated always as (pgtrail.uuid7_time(id)) stored,
         org_id uuid, until timestamptz,
         recorded_at timestamptz not null default clock_timestamp(),
         era smallint not null default 0,
         tx_id xid8 not null default pg_current_xact_id()
       ) partition by range (id);
       select pgtrail.create_trail('public.visit_log', 'org_id');
       reset role`,
    );
    await database.superuser.query(
      "insert into public.visit_log (org_id, until) select $1, until from unnest($2::timestamptz[]) as until",
      [ids.organisationA, ["2026-11-01", "infinity", "2026-11-02"]],
    );
    const entries = async () =>
      (
        await database.as("coordinatorA", (client) =>
          client.query("select * from public.get_audit_summary($1, 'visit_log')", [
            ids.organisationA,
          ]),
        )
      ).rows;
    expect(await entries()).toEqual([{ bucket: "all", entries: "3" }]);
    await seal(database.superuser, 1);
    expect(await entries()).toEqual([{ bucket: "all", entries: "3" }]);
    await seal(database.superuser);
    expect(await entries()).toEqual([{ bucket: "all", entries: "3" }]);
    const { rows } = await database.superuser.query(
      "select count(*)::int as aside from pgtrail.unsealable_entry where trail_name = 'visit_log'",
    );
    expect(rows).toEqual([{ aside: 1 }]);
    const { rows: wrong } = await database.superuser.query(
      "select * from pgtrail.verify_rollups()",
    );
    expect(wrong).toEqual([]);
  });

  test("whose expression fails on an entry counts by nothing from then on, and the log goes on", async () => {
    const trail = "coordinator_acknowledgement_audit";
    await database.superuser.query("select pgtrail.set_summary($1::regclass, $2)", [
      `public.${trail}`,
      "100 / char_length(entry.note)",
    ]);
    await database.superuser.query(
      `insert into public.coordinator_acknowledgement_audit
         (organisation_id, coordinator_id, mentor_id, certificate_type, threshold_tier, note)
       select $1, $1, $1, 'first aid', 'lapsed', note from unnest('{ab,"",abcd}'::text[]) as note`,
      [ids.organisationA],
    );
    expect(await seal(database.superuser)).toBeGreaterThanOrEqual(3);
    const { rows } = await database.as("coordinatorA", (client) =>
      client.query("select * from public.get_audit_summary($1, $2)", [ids.organisationA, trail]),
    );
    expect(rows).toEqual([{ bucket: "all", entries: "3" }]);
    const { rows: aside } = await database.superuser.query(
      "select from pgtrail.unsealable_entry where trail_name = $1",
      [trail],
    );
    expect(aside).toEqual([]);
    const { rows: wrong } = await database.superuser.query(
      "select * from pgtrail.verify_rollups()",
    );
    expect(wrong).toEqual([]);
  });
});
