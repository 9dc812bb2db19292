import { performance } from "node:perf_hooks";
import type pg from "pg";
import { loadEntries } from "./entries.js";
import { sealAll } from "./log.js";
import { interleave, median, quantile } from "./measure.js";
import { type Report, verdict } from "./report.js";
import type { BenchServer } from "./server.js";
import { HLF_SYNC, ORGANISATIONS, organisationId } from "./shapes.js";

const MONTHS = 46;
const STEP = 200_000;
const NOTHING = "maintain(), nothing due and nothing to verify";
const APPLY = "of which: apply_retention(), nothing due";
const HEALTH = "of which: health()";
const SLICE = "maintain(), nothing due, verifying all that was recorded";

/** What a removal took. */
interface Cost {
  seconds: number;
  walBytes: number;
}

/** Measures dropping an expired month against deleting it, and a maintenance that has nothing to do. */
export async function purge(server: BenchServer, short: boolean): Promise<Report> {
  const entries = short ? 200_000 : 5_000_000;
  const history = short ? 20_000 : 300_000;
  const rounds = short ? 3 : 20;
  const database = await server.createDatabase("bench_purge");
  try {
    const { superuser } = database;
    const owner = await database.connect({ role: "pgtrail_owner" });
    await owner.query("select pgtrail.enable_retention()");
    for (const trail of [
      "audit_log",
      "hlf_sync_audit_log",
      "coordinator_acknowledgement_audit",
      "badge_evaluation_logs",
    ]) {
      await owner.query("select pgtrail.ensure_partitions($1::regclass, $2, now())", [
        `public.${trail}`,
        new Date(Date.now() - MONTHS * 30.5 * 24 * 60 * 60 * 1000),
      ]);
    }
    const maintain = () => milliseconds(owner, "select pgtrail.maintain()");
    const nothing = await interleave(rounds, { [NOTHING]: maintain });

    await loadEntries(
      owner,
      { entries: history, months: MONTHS, large: 1 / ORGANISATIONS },
      HLF_SYNC,
    );
    await sealAll(owner);
    await owner.query("select pgtrail.set_retention('public.hlf_sync_audit_log', '10 years')");
    for (let n = 1; n <= 100; n++) {
      await owner.query(
        "select pgtrail.set_retention('public.hlf_sync_audit_log', '5 years', $1)",
        [organisationId(n)],
      );
    }
    await superuser.query("vacuum analyze");
    const idle = {
      ...nothing,
      ...(await interleave(rounds, {
        [APPLY]: () => milliseconds(owner, "select pgtrail.apply_retention()"),
        [HEALTH]: () => milliseconds(owner, "select pgtrail.health()"),
      })),
      ...(await interleave(3, { [SLICE]: maintain })),
    };

    await owner.query("select pgtrail.set_retention('public.audit_log', '6 months')");
    // Empty months first: they are dropped as well.
    while ((await owner.query("select from pgtrail.apply_retention()")).rowCount !== 0);
    const month = await fill(owner, entries);
    await sealAll(owner);
    await superuser.query("update pgtrail.batch set sealed_at = $1", [month]);
    await superuser.query("vacuum analyze public.audit_log");
    await superuser.query("checkpoint");

    // Taken back, so that both are measured on the same entries; the WAL is written all the same.
    await superuser.query("begin");
    await superuser.query("alter table public.audit_log disable trigger all");
    const deleted = await cost(superuser, async () => {
      const { rowCount } = await superuser.query(
        "delete from public.audit_log where occurred_at >= $1 and occurred_at < $1::timestamptz + interval '1 month'",
        [month],
      );
      if (rowCount !== entries) throw new Error(`deleted ${rowCount} entries, not ${entries}`);
    });
    await superuser.query("rollback");
    await superuser.query("checkpoint");
    const dropped = await cost(superuser, async () => {
      const { rows } = await owner.query<{ entries: string; method: string }>(
        "select method, sum(entries) as entries from pgtrail.apply_retention() group by method",
      );
      if (rows.length !== 1 || rows[0]?.method !== "drop" || Number(rows[0].entries) !== entries) {
        throw new Error(`apply_retention did ${JSON.stringify(rows)}`);
      }
    });

    return {
      title: "removing a month by policy",
      setup:
        `One month of audit_log with ${entries.toLocaleString("en")} entries, sealed, past the policy of its trail; four trails ` +
        `with partitions of ${MONTHS} months behind and 13 ahead. The DELETE is one statement over the same entries, with the ` +
        "guards disabled, in a transaction that is taken back; the WAL of what autovacuum and checkpoints do later is in neither. " +
        `maintain() is measured with nothing recorded, and then with ${history.toLocaleString("en")} entries of ` +
        `hlf_sync_audit_log by ${ORGANISATIONS.toLocaleString("en")} organisations and 101 policies of which none reaches them.`,
      tables: [
        {
          title: "Removing the month",
          columns: ["way", "seconds", "WAL, MB"],
          rows: [
            ["DELETE", seconds(deleted), megabytes(deleted)],
            [
              "pgtrail.apply_retention(), which drops the partition",
              seconds(dropped),
              megabytes(dropped),
            ],
            [
              "ratio",
              ratio(deleted.seconds / dropped.seconds),
              ratio(deleted.walBytes / dropped.walBytes),
            ],
          ],
        },
        {
          title: "Maintenance",
          columns: ["call", "ms, median", "95%", "target"],
          rows: [NOTHING, SLICE, APPLY, HEALTH].map((call) => {
            const times = idle[call] ?? [];
            return [
              call,
              median(times).toFixed(1),
              quantile(times, 0.95).toFixed(1),
              call !== NOTHING ? "" : verdict(median(times) <= 20, "<= 20"),
            ];
          }),
        },
      ],
      raw: { deleted, dropped, idle },
    };
  } finally {
    await database.drop();
  }
}

/** Fills the month of a year ago. Returns its beginning. */
async function fill(owner: pg.Client, entries: number): Promise<Date> {
  const now = new Date();
  const month = new Date(Date.UTC(now.getUTCFullYear() - 1, now.getUTCMonth(), 1));
  await owner.query("select pgtrail.ensure_partitions('public.audit_log', $1, $1)", [month]);
  for (let n = 0; n < entries; n += STEP) {
    await owner.query(
      `insert into public.audit_log (id, organisation_id, actor_id, actor_kind, action, entity_type, entity_id, details, recorded_at)
       select pgtrail.uuid7(at), $1, 'user-' || n % 200, 'user', 'badge.viewed', 'badge', 'entity-' || n % 5000,
         jsonb_build_object('n', n), at
       from generate_series($2::int, $3::int) as n
       cross join lateral (select $4::timestamptz + n * (interval '28 days' / $5::float8) as at) as drawn`,
      [organisationId(1), n, Math.min(n + STEP, entries) - 1, month, entries],
    );
  }
  return month;
}

async function cost(observer: pg.Client, work: () => Promise<void>): Promise<Cost> {
  const position = async () =>
    (await observer.query<{ lsn: string }>("select pg_current_wal_insert_lsn() as lsn")).rows[0]
      ?.lsn;
  const before = await position();
  const start = performance.now();
  await work();
  const elapsed = (performance.now() - start) / 1000;
  const { rows } = await observer.query<{ bytes: string }>(
    "select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), $1) as bytes",
    [before],
  );
  return { seconds: elapsed, walBytes: Number(rows[0]?.bytes) };
}

async function milliseconds(client: pg.Client, query: string): Promise<number> {
  const start = performance.now();
  await client.query(query);
  return performance.now() - start;
}

const seconds = (of: Cost) => of.seconds.toFixed(2);
const megabytes = (of: Cost) => (of.walBytes / 1e6).toFixed(1);
const ratio = (of: number) => `${of.toFixed(0)} x (${verdict(of >= 100, ">= 100")})`;
