import type pg from "pg";
import { beforeAll, describe, expect, test } from "vitest";
import { ids, sqlstate, useCluster, useDatabase } from "../harness/index.js";
import {
  checkpoint,
  consistencyProof,
  type Defect,
  type LogHead,
  type Queryable,
  seal,
  verify,
} from "../harness/log.js";
import { leafHash, provesConsistency, provesInclusion } from "../harness/merkle.js";

/*
 * What an administrator can do to a log: as superuser, with triggers and foreign keys off. Each
 * kind says what `verify()` has to find; `rewrites` are those that it cannot see, because entries
 * and log were changed to fit each other, and that a checkpoint published before gives away.
 *
 * Nothing within a database can show, and nothing here claims to:
 * - entries that are changed or removed before they are sealed;
 * - an entry that is removed under a purge that never was: see "a purge that never was";
 * - columns that are no evidence: `sealed_at`, `verified_at`, reasons, salts of rows without
 *   erasable values;
 * - functions that were replaced: run them from a clean installation, or verify offline.
 */

const cluster = useCluster({ fsync: "off" });
const database = useDatabase(cluster);

// Two months that have ended, so that the kit is the same on every day of the month.
const earlierMonth = monthsAgo(2);
const laterMonth = monthsAgo(1);

/** Middle of a month, in milliseconds. */
function monthsAgo(months: number): number {
  const now = new Date();
  return Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - months, 15);
}

const firstDay = (milliseconds: number) => `${new Date(milliseconds).toISOString().slice(0, 7)}-01`;

/** A UUIDv7 of a time; the same time and number are the same id. */
function idAt(milliseconds: number, number: number): string {
  const time = milliseconds.toString(16).padStart(12, "0");
  return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-${String(number).padStart(12, "0")}`;
}

/*
 * The log. A transaction has 16 entries of audit_log, then 4 of visit_log: leaves 20 t + 0 to 15
 * and 20 t + 16 to 19. The first eight transactions are of the earlier month.
 *
 *   transactions  leaves     batch
 *    0 to  5        0 - 119  ends with the last entry of a transaction
 *    6 to 12      120 - 249  ends within a transaction
 *                 250 - 259  ends at a watermark
 *   13 to 25      260 - 511  of the last, 12 entries only: ends where a tile ends
 *   26 to 28      512 - 571  then a seal that finds nothing, which moves the position on
 *                 572 - 573  two entries that were late, which close era 0
 *   29 to 30      574 - 613  era 1, then again a seal that finds nothing
 *
 * Five entries were purged, two were erased, one was set aside, and three are not sealed yet.
 */
const month = (transaction: number) => (transaction < 8 ? earlierMonth : laterMonth);
/** Entry n of audit_log. Those with an even number have a value in every column. */
const audit = (n: number) => idAt(month(Math.floor(n / 16)) + n, n);
/** Entry n of visit_log. */
const visit = (n: number) => idAt(month(Math.floor(n / 4)) + n, 500_000 + n);
const late = [idAt(laterMonth + 900, 900), idAt(laterMonth + 901, 901)] as const;
const poison = idAt(laterMonth + 902, 902);
const forged = idAt(laterMonth + 950, 950);
const purged = [97, 98, 99, 104, 105].map(audit);
const batches = {
  first: 0,
  second: 120,
  third: 250,
  fourth: 260,
  fifth: 512,
  late: 572,
  last: 574,
};
const size = 614;

/** Checkpoints that were published, as whoever keeps them outside has them. */
const published: LogHead[] = [];

async function recordTransaction(transaction: number, audits = 16, visits = 4): Promise<void> {
  const client = await database.superuser.connect();
  try {
    await client.query("begin");
    const numbers = (count: number, per: number) =>
      Array.from({ length: count }, (_, i) => transaction * per + i);
    for (const n of numbers(audits, 16)) {
      const full = n % 2 === 0;
      await client.query(
        `insert into public.audit_log (id, organisation_id, actor_id, actor_kind, impersonator_id, action, entity_type,
             entity_id, changes, details, ip_address, user_agent, request_id, trace_id)
         values ($1, $2, $3, $4, $5, 'thing.changed', $6, $7, $8, $9, $10, $11, $12, $13)`,
        full
          ? [
              audit(n),
              ids.organisationA,
              "anna",
              "impersonated",
              "root",
              "thing",
              `${n}`,
              { n: [1, n] },
              { n },
              "192.0.2.7",
              "curl/8",
              `r${n}`,
              `t${n}`,
            ]
          : [audit(n), ids.organisationA, null, "service", ...Array(9).fill(null)],
      );
    }
    for (const n of numbers(visits, 4)) {
      await client.query(
        "insert into public.visit_log (id, org_id, guest, badge, purpose, photo) values ($1, $2, $3, $4, $5, $6)",
        [
          visit(n),
          ids.organisationA,
          `guest ${n}`,
          `badge ${n}`,
          "repair",
          `photo ${n} `.repeat(50),
        ],
      );
    }
    await client.query("commit");
    // So that there is an id between any two of them.
    await client.query("select pg_current_xact_id()");
  } finally {
    client.release();
  }
}

/** Publishes the present checkpoint. Nobody in the database can tell a signature from a forged one. */
async function publish(): Promise<void> {
  const head = await checkpoint(database.superuser);
  published.push(head);
  await database.superuser.query("select pgtrail.record_published_checkpoint($1)", [noteOf(head)]);
}

function noteOf({ origin, size, root }: LogHead): string {
  return `${origin}\n${size}\n${root.toString("base64")}\n\n— ${origin} ${"c2ln".repeat(17)}\n`;
}

/** Moves transaction ids and then the position of the log on, with nothing to seal. */
async function idleSeal(): Promise<void> {
  for (let i = 0; i < 5; i++) await database.superuser.query("select pg_current_xact_id()");
  expect(await seal(database.superuser)).toBe(0);
}

/** Erases columns of an entry as the comments of pgtrail.erasure say. */
async function erase(trail: string, id: string, columns: string[]): Promise<void> {
  await tampering(async (client) => {
    await client.query(
      `insert into pgtrail.erasure (trail_name, entry_id, column_name, commitment, salt, reason)
       select $1, entry.id, erasable.name,
           case when erasable.name = any ($3) then
               sha256(derived.salt || convert_to(to_jsonb(entry) ->> erasable.name::text, 'UTF8')) end,
           case when erasable.name <> all ($3) then derived.salt end,
           'asked for'
       from public.${trail} as entry
       cross join (select unnest(erasable) as name from pgtrail.trail where trail_name = $1) as erasable
       cross join lateral (
           select sha256(uuid_send(entry.erasure_salt) || convert_to(erasable.name, 'UTF8')) as salt) as derived
       where entry.id = $2 and to_jsonb(entry) ->> erasable.name::text is not null`,
      [trail, id, columns],
    );
    const nulls = columns.map((column) => `${column} = null`).join(", ");
    await client.query(`update public.${trail} set erasure_salt = null, ${nulls} where id = $1`, [
      id,
    ]);
  }, "commit");
}

/** Does something to what a query finds. */
const forEach = (query: string, statement: string) => `
  do $$ declare tampered regclass; begin
    for tampered in ${query} loop ${statement} end loop;
  end $$`;
const disableTriggers = "execute format('alter table %s disable trigger all', tampered);";
const withoutGuards = forEach("select relation from pgtrail.trail", disableTriggers);
const withGuards = forEach(
  "select relation from pgtrail.trail",
  "perform pgtrail._attach_guards(tampered);",
);

/** Lets `work` do as it likes in one transaction, in which nothing defends itself. */
async function tampering<T>(
  work: (client: pg.PoolClient) => Promise<T>,
  end: "rollback" | "commit" = "rollback",
  where = database,
): Promise<T> {
  const client = await where.superuser.connect();
  try {
    await client.query(`begin; set local session_replication_role = replica; ${withoutGuards}`);
    const result = await work(client);
    await client.query(end === "commit" ? `${withGuards}; commit` : end);
    client.release();
    return result;
  } catch (error) {
    client.release(true);
    throw error;
  }
}

beforeAll(async () => {
  const { superuser, migrator } = database;
  await migrator.query(`
    set role pgtrail_owner;
    create table public.visit_log (
      id uuid primary key default pgtrail.uuid7(),
      visited_at timestamptz generated always as (pgtrail.uuid7_time(id)) stored,
      org_id uuid not null, guest text, badge text, purpose text, photo text,
      recorded_at timestamptz not null default clock_timestamp(),
      era smallint not null default 0,
      tx_id xid8 not null default pg_current_xact_id(),
      erasure_salt uuid default gen_random_uuid()
    ) partition by range (id);
    select pgtrail.create_trail('public.visit_log', 'org_id', erasable => '{guest,badge}', digested => '{photo}');
    select pgtrail.ensure_partitions(relation, now() - interval '3 months', now()) from pgtrail.trail;
    reset role`);

  for (let t = 0; t <= 12; t++) await recordTransaction(t);
  expect(await seal(superuser, 120)).toBe(120);
  expect(await seal(superuser, 130)).toBe(130);
  expect(await seal(superuser)).toBe(10);
  await publish();
  for (let t = 13; t <= 24; t++) await recordTransaction(t);
  await recordTransaction(25, 12, 0);
  await superuser.query(
    "insert into public.audit_log (id, organisation_id, action, recorded_at) values ($1, $2, 'poison', 'infinity')",
    [poison, ids.organisationA],
  );
  expect(await seal(superuser)).toBe(252);
  for (let t = 26; t <= 28; t++) await recordTransaction(t);
  expect(await seal(superuser)).toBe(60);
  await publish();
  await idleSeal();

  // Another cluster: its first transactions have ids that the log is past already.
  await superuser.query("update pgtrail.log set system_identifier = 1");
  for (const id of late) {
    await superuser.query(
      `insert into public.audit_log (id, organisation_id, action, tx_id)
       select $1, $2, 'late', tx_id from public.audit_log where id = $3`,
      [id, ids.organisationA, audit(300)],
    );
  }
  await seal(superuser);
  for (let t = 29; t <= 30; t++) await recordTransaction(t);
  expect(await seal(superuser)).toBe(40);
  await publish();
  await idleSeal();
  await recordTransaction(31, 3, 0);

  await erase("audit_log", audit(4), ["details"]);
  await erase("visit_log", visit(9), ["guest", "badge"]);
  await tampering(async (client) => {
    await client.query(
      "create table public.backup as select * from public.audit_log where id in (select unnest($1::uuid[]))",
      [purged],
    );
    await client.query("delete from public.audit_log where id = any ($1)", [purged]);
    await client.query(
      `update pgtrail.batch_content set purged = 5
       where first_leaf = $1 and trail_name = 'audit_log' and month = $2`,
      [batches.second, firstDay(earlierMonth)],
    );
  }, "commit");
});

/** Something an administrator does, and what verify() has to find, one line a defect, in any order. */
interface Tampering {
  kind: string;
  sql: string;
  found: string[];
}

/** A defect as the kit writes it: its name and, where it has one, the entry. */
function line({ defect, trail_name, entry_id }: Defect): string {
  return entry_id ? `${defect} ${trail_name} ${entry_id}` : defect;
}

const times = (count: number, text: string) => Array<string>(count).fill(text);

/** Every defect. */
const all = (defects: Defect[]) => defects.map(line).sort();
/** Every defect once: damage to the tree shows at each size that it concerns. */
const kinds = (defects: Defect[]) => [...new Set(defects.map(line))].sort();
/** Only those of the log itself: a batch that lies about its bounds accuses entries, too. */
const kindsOfTheLog = (defects: Defect[]) =>
  kinds(defects.filter(({ defect }) => !["altered", "missing", "inserted"].includes(defect)));

function kit(name: string, tamperings: Tampering[], summary = all): void {
  describe(name, () => {
    test.each(tamperings)("$kind", async ({ sql, found }) => {
      const defects = await tampering(async (client) => {
        await client.query(sql);
        return verify(client);
      });
      expect(summary(defects)).toEqual([...found].sort());
    });
  });
}

/** How the columns of an entry of audit_log are edited. An erasable value is edited with its salt in place. */
const edits: Record<string, string> = {
  id: `'${idAt(earlierMonth + 20, 999)}'`,
  organisation_id: `'${ids.organisationB}'`,
  actor_id: "'eve'",
  actor_kind: "'user', impersonator_id = null",
  impersonator_id: "'nobody'",
  database_role: "'postgres '",
  action: "'thing.kept'",
  entity_type: "'Thing'",
  entity_id: "'21'",
  changes: `'{"n": [1, 21]}'`,
  details: `'{"n": 21}'`,
  ip_address: "'192.0.2.7/24'",
  user_agent: "'curl/8.1'",
  request_id: "'r21'",
  trace_id: "''",
  recorded_at: "recorded_at - interval '1 microsecond'",
  era: "1",
  tx_id: "(tx_id::text::bigint - 1)::text::xid8",
  erasure_salt: "gen_random_uuid()",
};
const nullable = ["changes", "details", "ip_address", "user_agent", "request_id", "trace_id"];

const update = (n: number, set: string) =>
  `update public.audit_log set ${set} where id = '${audit(n)}'`;
const txOf = (n: number) => `(select tx_id from public.audit_log where id = '${audit(n)}')`;
const insert = (txId: string, era = "0", id = forged) =>
  `insert into public.audit_log (id, organisation_id, action, tx_id, era)
   values ('${id}', '${ids.organisationA}', 'forged', ${txId}, ${era})`;
const altered = (n: number) => `altered audit_log ${audit(n)}`;
const inserted = `inserted audit_log ${forged}`;
const everyVisit = (defect: string) =>
  Array.from({ length: 124 }, (_, n) => n)
    // Transaction 25 has none.
    .filter((n) => n < 100 || n >= 104)
    .map((n) => `${defect} visit_log ${visit(n)}`);
const unfit = "published checkpoint does not fit";

describe("the log that is tampered with", () => {
  test("is intact: purged, erased, late, set aside and unsealed entries are no defects", async () => {
    expect(await verify(database.superuser)).toEqual([]);
  });

  test("has what the kit speaks of", async () => {
    const { rows } = await database.superuser.query(
      `select array_agg(batch.first_leaf::int order by batch.first_leaf) as first_leaves,
           (select tree_size::int from pgtrail.log) as size,
           (select array_agg(format('%s/%s: %s', level, tile_index, octet_length(hashes) / 32) order by level, tile_index)
            from pgtrail.tile) as tiles
       from pgtrail.batch as batch`,
    );
    expect(rows).toEqual([
      {
        first_leaves: Object.values(batches),
        size,
        tiles: ["0/0: 256", "0/1: 256", "0/2: 102", "1/0: 2"],
      },
    ]);
  });

  test("has no column of audit_log that the kit does not edit", async () => {
    const { rows } = await database.superuser.query(
      `select array_agg(attname::text order by attnum) as columns from pg_attribute
       where attrelid = 'public.audit_log'::regclass and attnum > 0 and not attisdropped and attgenerated = ''`,
    );
    expect(Object.keys(edits)).toEqual(rows[0].columns);
  });
});

kit("an edited column is found, as that entry and no other", [
  ...Object.entries(edits)
    .filter(([column]) => !["id", "era", "tx_id"].includes(column))
    .map(([column, value]) => ({
      kind: column,
      sql: update(20, `${column} = ${value}`),
      found: [altered(20)],
    })),
  ...nullable.map((column) => ({
    kind: `${column}, value to null`,
    sql: update(20, `${column} = null`),
    found: [altered(20)],
  })),
  ...nullable.map((column) => ({
    kind: `${column}, null to value`,
    sql: update(21, `${column} = ${edits[column]}`),
    found: [altered(21)],
  })),
  {
    kind: "erasure_salt, value to null",
    sql: update(20, "erasure_salt = null"),
    found: [altered(20)],
  },
  {
    kind: "id",
    sql: update(20, `id = ${edits.id}`),
    found: [`altered audit_log ${idAt(earlierMonth + 20, 999)}`],
  },
  {
    kind: "era, to the next",
    sql: update(20, "era = 1"),
    found: ["missing", `inserted audit_log ${audit(20)}`],
  },
  {
    kind: "era, to one that has not begun",
    sql: update(20, "era = 7"),
    found: ["missing", `inserted audit_log ${audit(20)}`],
  },
  {
    kind: "tx_id, to a transaction of the same batch",
    sql: update(20, `tx_id = ${txOf(36)}`),
    found: ["missing", `inserted audit_log ${audit(20)}`],
  },
  {
    kind: "tx_id, to one between transactions of the same batch",
    sql: update(16, `tx_id = (${txOf(15)}::text::bigint + 1)::text::xid8`),
    found: [altered(16)],
  },
  {
    kind: "tx_id, to another batch",
    sql: update(20, `tx_id = ${txOf(416)}`),
    found: ["missing", `inserted audit_log ${audit(20)}`],
  },
  {
    kind: "tx_id, to one that has not begun",
    sql: update(20, "tx_id = '1000000000000'"),
    found: ["missing", `inserted audit_log ${audit(20)}`],
  },
  {
    kind: "the first entry of the log",
    sql: update(0, "action = 'x'"),
    found: [altered(0)],
  },
  {
    kind: "the last entry of the log",
    sql: `update public.visit_log set purpose = 'x' where id = '${visit(123)}'`,
    found: [`altered visit_log ${visit(123)}`],
  },
  {
    kind: "the first entry of a batch",
    sql: update(208, "action = 'x'"),
    found: [altered(208)],
  },
  {
    kind: "an entry beside a purged one",
    sql: update(100, "action = 'x'"),
    found: [altered(100)],
  },
  {
    kind: "an entry beside purged ones on both sides",
    sql: update(104 - 1, "action = 'x'"),
    found: [altered(103)],
  },
  {
    kind: "an entry that was late",
    sql: `update public.audit_log set action = 'x' where id = '${late[0]}'`,
    found: [`altered audit_log ${late[0]}`],
  },
  {
    kind: "an entry of another era",
    sql: update(470, "action = 'x'"),
    found: [altered(470)],
  },
  {
    kind: "an erasable column of another trail",
    sql: `update public.visit_log set guest = 'Eve' where id = '${visit(50)}'`,
    found: [`altered visit_log ${visit(50)}`],
  },
  {
    kind: "a digested column of another trail",
    sql: `update public.visit_log set photo = photo || ' ' where id = '${visit(50)}'`,
    found: [`altered visit_log ${visit(50)}`],
  },
  {
    kind: "a digested column of another trail, value to null",
    sql: `update public.visit_log set photo = null where id = '${visit(50)}'`,
    found: [`altered visit_log ${visit(50)}`],
  },
  {
    kind: "neighbours, three in a row",
    sql: `update public.audit_log set action = 'x' where id in ('${audit(20)}', '${audit(21)}', '${audit(22)}')`,
    found: [altered(20), altered(21), altered(22)],
  },
  {
    kind: "entries of several batches",
    sql: `update public.audit_log set action = 'x' where id in ('${audit(20)}', '${audit(100)}', '${audit(420)}')`,
    found: [altered(20), altered(100), altered(420)],
  },
  {
    kind: "every entry of a trail",
    sql: "update public.visit_log set purpose = 'x'",
    found: everyVisit("altered"),
  },
  {
    kind: "a column, dropped: the entries that had a value",
    sql: "alter table public.visit_log drop column purpose",
    found: everyVisit("altered"),
  },
]);

describe("calls that verify a slice find an edited entry", () => {
  /** An entry of each batch, in the order of the batches. */
  const oneOfEach = [
    audit(20),
    audit(150),
    audit(204),
    audit(300),
    audit(420),
    late[0],
    audit(470),
  ];
  const found = oneOfEach.map((id) => `altered audit_log ${id}`);
  const editOneOfEach = `update public.audit_log set action = 'x'
    where id in (${oneOfEach.map((id) => `'${id}'`).join(", ")})`;

  async function slices(client: Queryable, batches: number, calls: number): Promise<string[][]> {
    const answers: string[][] = [];
    for (let n = 0; n < calls; n++) {
      const { rows } = await client.query<Defect>("select * from pgtrail.verify_slice($1)", [
        batches,
      ]);
      answers.push(all(rows));
    }
    return answers;
  }

  test("a batch a call: each once in a round, and then again from the first batch on", async () => {
    const answers = await tampering(async (client) => {
      await client.query(editOneOfEach);
      return slices(client, 1, 2 * found.length + 1);
    });
    const round = found.map((defect) => [defect]);
    expect(answers).toEqual([...round, ...round, [found[0]]]);
  });

  test("two batches a call: a round ends with what is left", async () => {
    const answers = await tampering(async (client) => {
      await client.query(editOneOfEach);
      return slices(client, 2, 5);
    });
    const pairs = [0, 2, 4, 6].map((n) => found.slice(n, n + 2).sort());
    expect(answers).toEqual([...pairs, pairs[0]]);
  });

  test("of as many batches as time allows: all of them, each time", async () => {
    const answers = await tampering(async (client) => {
      await client.query(editOneOfEach);
      const { rows: first } = await client.query<Defect>("select * from pgtrail.verify_slice()");
      const { rows: second } = await client.query<Defect>("select * from pgtrail.verify_slice()");
      return [first, second].map(all);
    });
    expect(answers).toEqual([[...found].sort(), [...found].sort()]);
  });

  test("maintain() counts them, and raises an alert", async () => {
    await tampering(async (client) => {
      await client.query(editOneOfEach);
      const { rows } = await client.query("select pgtrail.maintain() as done");
      expect(rows[0].done).toMatchObject({ defects: found.length });
      const { rows: alerts } = await client.query(
        `select severity, payload -> 'defects' as defects from pgtrail.alert
         where kind = 'log defects' and resolved_at is null`,
      );
      expect(alerts).toEqual([{ severity: "critical", defects: found.length }]);
    });
  });
});

const remove = (...list: string[]) =>
  `delete from public.audit_log where id in (${list.map((id) => `'${id}'`).join(", ")})`;

const removeEntriesOfFifth = `
  delete from public.audit_log where id between '${audit(416)}' and '${audit(463)}';
  delete from public.visit_log where id between '${visit(104)}' and '${visit(115)}'`;

kit("a removed entry is missing", [
  { kind: "the first of the log", sql: remove(audit(0)), found: ["missing"] },
  { kind: "one in the middle", sql: remove(audit(150)), found: ["missing"] },
  {
    kind: "the last of the log",
    sql: `delete from public.visit_log where id = '${visit(123)}'`,
    found: ["missing"],
  },
  { kind: "the last of a batch", sql: remove(audit(411)), found: ["missing"] },
  { kind: "several", sql: remove(...[3, 17, 18, 19, 300].map(audit)), found: times(5, "missing") },
  { kind: "one beside purged ones", sql: remove(audit(96)), found: ["missing"] },
  { kind: "one that was erased", sql: remove(audit(4)), found: ["missing"] },
  { kind: "one that was late", sql: remove(late[1]), found: ["missing"] },
  {
    kind: "a whole transaction",
    sql: `create temporary table gone as select tx_id from public.audit_log where id = '${audit(320)}';
          delete from public.audit_log where tx_id in (select tx_id from gone);
          delete from public.visit_log where tx_id in (select tx_id from gone)`,
    found: times(20, "missing"),
  },
  {
    kind: "all of a batch",
    sql: removeEntriesOfFifth,
    found: times(60, "missing"),
  },
  {
    kind: "a partition, dropped",
    sql: `drop table pgtrail_partitions.visit_log_${firstDay(earlierMonth).slice(0, 7).replace("-", "_")}`,
    found: times(32, "missing"),
  },
  {
    kind: "a partition, detached",
    sql: `alter table public.visit_log
          detach partition pgtrail_partitions.visit_log_${firstDay(earlierMonth).slice(0, 7).replace("-", "_")}`,
    found: times(32, "missing"),
  },
  {
    kind: "all of a trail, truncated",
    sql: `${forEach("select inhrelid from pg_inherits where inhparent = 'public.audit_log'::regclass", disableTriggers)};
          truncate public.audit_log`,
    found: times(614 - 120 - purged.length, "missing"),
  },
]);

kit("entries that changed places or contents are found", [
  {
    kind: "the details of two entries, swapped",
    sql: `update public.audit_log set details = case details ->> 'n' when '20' then '{"n": 22}' else '{"n": 20}' end::jsonb
          where id in ('${audit(20)}', '${audit(22)}')`,
    found: [altered(20), altered(22)],
  },
  {
    kind: "all but the ids of two entries, swapped",
    sql: `update public.audit_log as entry
          set (entity_id, changes, details, request_id, trace_id, recorded_at, erasure_salt) = (
              select entity_id, changes, details, request_id, trace_id, recorded_at, erasure_salt
              from public.audit_log as other
              where other.id in ('${audit(20)}', '${audit(22)}') and other.id <> entry.id)
          where id in ('${audit(20)}', '${audit(22)}')`,
    found: [altered(20), altered(22)],
  },
  {
    kind: "the ids of two entries, swapped",
    sql: `${update(20, `id = '${forged}'`)}; ${update(22, `id = '${audit(20)}'`)};
          update public.audit_log set id = '${audit(22)}' where id = '${forged}'`,
    found: [altered(20), altered(22)],
  },
  {
    kind: "the transactions of two entries, swapped",
    sql: `create temporary table taken as select id, tx_id from public.audit_log
              where id in ('${audit(20)}', '${audit(420)}');
          update public.audit_log as entry set tx_id = taken.tx_id from taken
              where entry.id in ('${audit(20)}', '${audit(420)}') and taken.id <> entry.id`,
    found: [
      ...times(2, "missing"),
      `inserted audit_log ${audit(20)}`,
      `inserted audit_log ${audit(420)}`,
    ],
  },
  {
    kind: "an entry, moved to another organisation",
    sql: update(20, `organisation_id = '${ids.platformOrganisation}'`),
    found: [altered(20)],
  },
  {
    kind: "an entry, removed, and another inserted in its place",
    sql: `${insert(txOf(320))}; ${remove(audit(335))}`,
    found: [`altered audit_log ${forged}`],
  },
  {
    kind: "an entry, removed, and another inserted elsewhere",
    sql: `${insert(txOf(320))}; ${remove(audit(20))}`,
    found: ["missing", inserted],
  },
  {
    kind: "an entry, edited, and its neighbour removed",
    sql: `${update(20, "action = 'x'")}; ${remove(audit(21))}`,
    found: [altered(20), "missing"],
  },
  {
    kind: "an entry, removed, and its neighbour edited",
    sql: `${update(21, "action = 'x'")}; ${remove(audit(20))}`,
    found: [altered(21), "missing"],
  },
]);

kit("an entry that was inserted into the past is found", [
  { kind: "within a batch", sql: insert(txOf(320)), found: [inserted] },
  { kind: "within a batch with purged entries", sql: insert(txOf(100)), found: [inserted] },
  {
    kind: "beside the purged entries, in their partition",
    sql: insert(txOf(100), "0", idAt(earlierMonth + 98, 998)),
    found: [`inserted audit_log ${idAt(earlierMonth + 98, 998)}`],
  },
  {
    kind: "a copy of another with a new id",
    sql: `insert into public.audit_log (id, organisation_id, actor_id, actor_kind, impersonator_id, database_role, action, entity_type, entity_id, changes, details, ip_address, user_agent, request_id, trace_id, recorded_at, era, tx_id, erasure_salt)
          select '${forged}', organisation_id, actor_id, actor_kind, impersonator_id, database_role, action, entity_type, entity_id, changes, details, ip_address, user_agent, request_id, trace_id, recorded_at, era, tx_id, erasure_salt
          from public.audit_log where id = '${audit(320)}'`,
    found: [inserted],
  },
  { kind: "before the first transaction", sql: insert("'3'"), found: [inserted] },
  { kind: "with transaction id 0", sql: insert("'0'"), found: [inserted] },
  {
    kind: "between transactions",
    sql: insert(`(${txOf(15)}::text::bigint + 1)::text::xid8`),
    found: [inserted],
  },
  {
    kind: "between the last batch and the position",
    sql: insert("(select (tx_id::text::bigint - 1)::text::xid8 from pgtrail.log)", "1"),
    found: [inserted],
  },
  {
    kind: "at the end of an era that is closed",
    sql: insert("'1000000000000'"),
    found: [inserted],
  },
  { kind: "before the first transaction of an era", sql: insert("'3'", "1"), found: [inserted] },
  { kind: "in an era that has not begun", sql: insert(txOf(470), "7"), found: [inserted] },
  { kind: "in an era before the first", sql: insert(txOf(470), "-1"), found: [inserted] },
  {
    kind: "in a transaction that has not begun",
    sql: insert("'1000000000000'", "1"),
    found: [inserted],
  },
  {
    kind: "and passed off as late, at a leaf that is not",
    sql: `${insert(txOf(320))};
          insert into pgtrail.late_entry values (1, 1000000, 'audit_log', '${forged}', 'x')`,
    found: [inserted],
  },
  {
    kind: "and passed off as late, at a leaf before the first",
    sql: `${insert(txOf(320))};
          insert into pgtrail.late_entry values (1, -1, 'audit_log', '${forged}', 'x')`,
    found: [inserted],
  },
  {
    kind: "and passed off as late, at a leaf of another",
    sql: `${insert(txOf(320))};
          insert into pgtrail.late_entry values (1, 30, 'audit_log', '${forged}', 'x')`,
    found: [inserted],
  },
  {
    kind: "and passed off as late, of a trail of which the batch has nothing",
    sql: `insert into public.visit_log (id, org_id, tx_id, era) values ('${forged}', '${ids.organisationA}', '3', 0);
          insert into pgtrail.late_entry values (1, 255, 'visit_log', '${forged}', 'x')`,
    found: [`inserted visit_log ${forged}`],
  },
  {
    kind: "and passed off as one that cannot be sealed",
    sql: `${insert(txOf(320))};
          insert into pgtrail.unsealable_entry values ('audit_log', '${forged}', '22000', 'x')`,
    found: [inserted],
  },
]);

kit("a sealed entry cannot be passed off as something else", [
  {
    kind: "as one that cannot be sealed",
    sql: `insert into pgtrail.unsealable_entry values ('audit_log', '${audit(20)}', '22000', 'x')`,
    found: ["missing", `inserted audit_log ${audit(20)}`],
  },
  {
    kind: "as a late one",
    sql: `${update(20, "action = 'x'")};
          insert into pgtrail.late_entry values (1, 1000000, 'audit_log', '${audit(20)}', 'x')`,
    found: ["missing", `inserted audit_log ${audit(20)}`],
  },
  {
    kind: "a late one as an ordinary one",
    sql: `delete from pgtrail.late_entry where entry_id = '${late[0]}'`,
    found: ["missing", `inserted audit_log ${late[0]}`],
  },
  {
    kind: "a late one as that of another batch",
    sql: `update pgtrail.late_entry set leaf_index = 300 where entry_id = '${late[0]}'`,
    found: ["missing", `inserted audit_log ${late[0]}`],
  },
]);

const erasureOf = (id: string, column: string) =>
  `pgtrail.erasure where entry_id = '${id}' and column_name = '${column}'`;

kit("an erasure record cannot hide a change", [
  {
    kind: "commitment, edited",
    sql: `update pgtrail.erasure set commitment = sha256('x') where entry_id = '${audit(4)}' and column_name = 'details'`,
    found: [altered(4)],
  },
  {
    kind: "salt, edited",
    sql: `update pgtrail.erasure set salt = sha256('x') where entry_id = '${audit(4)}' and column_name = 'changes'`,
    found: [altered(4)],
  },
  {
    kind: "of the erased column, removed",
    sql: `delete from ${erasureOf(audit(4), "details")}`,
    found: [altered(4)],
  },
  {
    kind: "of a column that is still there, removed",
    sql: `delete from ${erasureOf(audit(4), "changes")}`,
    found: [altered(4)],
  },
  {
    kind: "all of an entry, removed",
    sql: `delete from pgtrail.erasure where entry_id = '${visit(9)}'`,
    found: [`altered visit_log ${visit(9)}`],
  },
  {
    kind: "two columns, swapped",
    sql: `update pgtrail.erasure as one set commitment = other.commitment
          from pgtrail.erasure as other
          where one.entry_id = '${visit(9)}' and other.entry_id = one.entry_id and other.column_name <> one.column_name`,
    found: [`altered visit_log ${visit(9)}`],
  },
  {
    kind: "a value, put in where one was erased",
    sql: update(4, `details = '{"n": 5}'`),
    found: [altered(4)],
  },
  {
    kind: "a value beside an erased one, edited",
    sql: update(4, `changes = '{"n": 5}'`),
    found: [altered(4)],
  },
  {
    kind: "a value, removed without one",
    sql: update(20, "details = null, erasure_salt = null"),
    found: [altered(20)],
  },
  {
    kind: "of a value that was never there",
    sql: `${update(20, "details = null, erasure_salt = null")};
          insert into pgtrail.erasure (trail_name, entry_id, column_name, commitment)
          values ('audit_log', '${audit(20)}', 'details', sha256('x'))`,
    found: [altered(20)],
  },
]);

/** Sets the hash at a place of a tile. */
const overwrite = (level: number, tile: number, place: number) =>
  `update pgtrail.tile set hashes = overlay(hashes placing sha256('x') from ${place * 32 + 1})
   where level = ${level} and tile_index = ${tile}`;
const cut = (level: number, tile: number) =>
  `update pgtrail.tile set hashes = substr(hashes, 1, octet_length(hashes) - 32)
   where level = ${level} and tile_index = ${tile}`;
const append = (level: number, tile: number) =>
  `update pgtrail.tile set hashes = hashes || sha256('x') where level = ${level} and tile_index = ${tile}`;
const replaceLeaf = (id: string, leaf: number) =>
  `update pgtrail.tile set hashes = overlay(hashes placing
       sha256('\\x00'::bytea || pgtrail._entry_bytes('audit_log', '${id}', 1::smallint)) from ${(leaf % 256) * 32 + 1})
   where level = 0 and tile_index = ${Math.floor(leaf / 256)}`;
/** Puts the hash of a full tile of level 0 where it belongs in level 1. */
const rehash = (tile: number) =>
  `update pgtrail.tile as parent
   set hashes = overlay(parent.hashes placing pgtrail._subtree_hash(child.hashes) from ${tile * 32 + 1})
   from pgtrail.tile as child
   where parent.level = 1 and child.level = 0 and child.tile_index = ${tile}`;
const removeTile = (level: number, tile: number) =>
  `delete from pgtrail.tile where level = ${level} and tile_index = ${tile}`;

// What hashes to a root over a damaged tile does not fit either.
kit(
  "a damaged tile is found, and no entry is blamed for it",
  [
    {
      kind: "level 0, full, first hash",
      sql: overwrite(0, 0, 0),
      found: ["tile damaged", "root mismatch"],
    },
    { kind: "level 0, full, in the middle", sql: overwrite(0, 1, 100), found: ["tile damaged"] },
    { kind: "level 0, full, last hash", sql: overwrite(0, 1, 255), found: ["tile damaged"] },
    { kind: "level 0, full, cut", sql: cut(0, 1), found: ["tile damaged"] },
    {
      kind: "level 0, full, removed",
      sql: removeTile(0, 1),
      found: ["tile damaged", "root mismatch", unfit],
    },
    {
      kind: "level 0, the last, first hash",
      sql: overwrite(0, 2, 0),
      found: ["root mismatch", unfit],
    },
    {
      kind: "level 0, the last, last hash",
      sql: overwrite(0, 2, 101),
      found: ["root mismatch", unfit],
    },
    {
      kind: "level 0, the last, cut",
      sql: cut(0, 2),
      found: ["tile damaged", "root mismatch", unfit],
    },
    {
      kind: "level 0, the last, removed",
      sql: removeTile(0, 2),
      found: ["tile damaged", "root mismatch", unfit],
    },
    { kind: "level 0, the last, appended to", sql: append(0, 2), found: ["tile damaged"] },
    {
      kind: "level 1, edited",
      sql: overwrite(1, 0, 0),
      found: ["tile damaged", "root mismatch", unfit],
    },
    { kind: "level 1, cut", sql: cut(1, 0), found: ["tile damaged", "root mismatch", unfit] },
    {
      kind: "level 1, removed",
      sql: removeTile(1, 0),
      found: ["tile damaged", "root mismatch", unfit],
    },
    { kind: "level 1, appended to", sql: append(1, 0), found: ["tile damaged"] },
    {
      kind: "a tile beyond the log",
      sql: "insert into pgtrail.tile values (1, 0, 3, sha256('x'))",
      found: ["tile damaged"],
    },
    {
      kind: "a level above the log",
      sql: "insert into pgtrail.tile values (1, 2, 0, sha256('x'))",
      found: ["tile damaged"],
    },
    {
      kind: "two tiles, swapped",
      sql: `update pgtrail.tile set tile_index = 9 where level = 0 and tile_index = 0;
            update pgtrail.tile set tile_index = 0 where level = 0 and tile_index = 1;
            update pgtrail.tile set tile_index = 1 where level = 0 and tile_index = 9`,
      found: ["tile damaged", "root mismatch", unfit],
    },
    {
      kind: "an edited entry whose leaf was replaced too",
      sql: `${update(20, "action = 'x'")}; ${replaceLeaf(audit(20), 24)}`,
      found: ["tile damaged", "root mismatch"],
    },
    {
      kind: "an edited entry whose leaf and the tiles above were replaced too",
      sql: `${update(20, "action = 'x'")}; ${replaceLeaf(audit(20), 24)}; ${rehash(0)}`,
      found: ["root mismatch", unfit],
    },
  ],
  kinds,
);

const removeBatch = (firstLeaf: number) =>
  `delete from pgtrail.batch where first_leaf = ${firstLeaf}`;
const batch = (firstLeaf: number, set: string) =>
  `update pgtrail.batch set ${set} where first_leaf = ${firstLeaf}`;

kit(
  "a batch that was changed is found",
  [
    { kind: "root", sql: batch(120, "root = sha256('x')"), found: ["root mismatch"] },
    {
      kind: "entries, raised",
      sql: batch(120, "entries = 131"),
      found: ["log damaged", "root mismatch"],
    },
    {
      kind: "entries, lowered",
      sql: batch(120, "entries = 129"),
      found: ["log damaged", "root mismatch"],
    },
    { kind: "era", sql: batch(120, "era = 1"), found: ["log damaged"] },
    { kind: "era, of the last", sql: batch(574, "era = 2"), found: ["log damaged"] },
    { kind: "from_tx_id", sql: batch(260, "from_tx_id = '3'"), found: ["log damaged"] },
    { kind: "from_trail_name", sql: batch(120, "from_trail_name = 'a'"), found: ["log damaged"] },
    {
      kind: "from_entry_id",
      sql: batch(120, `from_entry_id = '${forged}'`),
      found: ["log damaged"],
    },
    { kind: "to_tx_id, lowered", sql: batch(250, "to_tx_id = '3'"), found: ["log damaged"] },
    {
      kind: "to_tx_id, of the last, raised",
      sql: batch(574, "to_tx_id = '1000000000000'"),
      found: ["log damaged"],
    },
    { kind: "to_trail_name", sql: batch(0, "to_trail_name = 'a'"), found: ["log damaged"] },
    { kind: "to_entry_id", sql: batch(0, `to_entry_id = '${forged}'`), found: ["log damaged"] },
    {
      kind: "first_leaf",
      sql: batch(250, "first_leaf = 251"),
      found: ["log damaged", "root mismatch"],
    },
    { kind: "the first, removed", sql: removeBatch(0), found: ["log damaged"] },
    { kind: "one in the middle, removed", sql: removeBatch(260), found: ["log damaged"] },
    { kind: "the last, removed", sql: removeBatch(574), found: ["log damaged"] },
    {
      kind: "one in the middle, removed with its entries",
      sql: `${removeBatch(512)}; ${removeEntriesOfFifth}`,
      found: ["log damaged"],
    },
    {
      kind: "one more, of the same entries",
      sql: `insert into pgtrail.batch
            select 1, 614, entries, root, era, from_tx_id, from_trail_name, from_entry_id, to_tx_id, to_trail_name, to_entry_id
            from pgtrail.batch where first_leaf = 574`,
      found: ["log damaged", "root mismatch"],
    },
  ],
  kindsOfTheLog,
);

kit("a batch that was changed is found by its entries", [
  {
    kind: "to_tx_id, of the last, lowered",
    sql: batch(574, `to_tx_id = ${txOf(470)}`),
    found: [
      ...times(40, "missing"),
      ...Array.from({ length: 32 }, (_, i) => `inserted audit_log ${audit(464 + i)}`),
      ...Array.from({ length: 8 }, (_, i) => `inserted visit_log ${visit(116 + i)}`),
    ],
  },
  {
    kind: "root, and an entry of its last tile edited",
    sql: `${batch(120, "root = sha256('x')")}; ${update(150, "action = 'x'")}`,
    found: ["root mismatch", altered(150)],
  },
]);

const content = (set: string, firstLeaf = 120, trail = "audit_log", month = earlierMonth) =>
  `update pgtrail.batch_content set ${set}
   where first_leaf = ${firstLeaf} and trail_name = '${trail}' and month = '${firstDay(month)}'`;
const putBack = (id: string) =>
  `insert into public.audit_log (${Object.keys(edits).join(", ")})
   select ${Object.keys(edits).join(", ")} from public.backup where id = '${id}'`;

kit(
  "the content of a batch that was changed is found",
  [
    { kind: "entries, raised", sql: content("entries = entries + 1"), found: ["log damaged"] },
    { kind: "entries, lowered", sql: content("entries = entries - 1"), found: ["log damaged"] },
    {
      kind: "of one trail, removed",
      sql: "delete from pgtrail.batch_content where first_leaf = 0 and trail_name = 'audit_log'",
      found: ["log damaged"],
    },
    {
      kind: "removed",
      sql: "delete from pgtrail.batch_content where first_leaf = 0",
      found: ["log damaged"],
    },
    { kind: "month", sql: content("month = month - interval '1 month'"), found: ["log damaged"] },
    {
      kind: "trail_name",
      sql: content("trail_name = 'visit_log', month = month - interval '1 month'"),
      found: ["log damaged"],
    },
    {
      kind: "moved between trails, the sum kept",
      sql: `${content("entries = entries + 1", 0)}; ${content("entries = entries - 1", 0, "visit_log")}`,
      found: ["log damaged"],
    },
    {
      kind: "version, to one that is not",
      sql: content("version = 9", 0),
      found: ["log damaged"],
    },
    {
      kind: "purged, raised though nothing was removed",
      sql: content("purged = 3", 0),
      found: ["log damaged"],
    },
    {
      kind: "purged, raised beside a true purge",
      sql: content("purged = 6"),
      found: ["log damaged"],
    },
    {
      kind: "purged, lowered: what is gone beyond that is missing",
      sql: content("purged = 3"),
      found: ["missing"],
    },
    {
      kind: "purged, raised in one trail to hide a removal from another",
      sql: `${content("purged = 1", 120, "visit_log")}; ${remove(audit(100))}`,
      found: ["log damaged"],
    },
    {
      kind: "purged entry, put back to hide a removal from another trail",
      sql: `${putBack(audit(97))}; delete from public.visit_log where id = '${visit(25)}'`,
      found: ["log damaged"],
    },
  ],
  kinds,
);

const log = (set: string) => `update pgtrail.log set ${set}`;

kit(
  "the head of the log that was changed is found",
  [
    { kind: "root", sql: log("root = sha256('x')"), found: ["root mismatch"] },
    {
      kind: "tree_size, lowered",
      sql: log("tree_size = 600"),
      found: ["log damaged", "root mismatch", "tile damaged", unfit],
    },
    {
      kind: "tree_size, lowered to that of a batch, with its root",
      sql: log("tree_size = 574, root = (select root from pgtrail.batch where first_leaf = 572)"),
      found: ["log damaged", "root mismatch", "tile damaged", unfit],
    },
    {
      kind: "tree_size, raised",
      sql: log("tree_size = 615"),
      found: ["log damaged", "root mismatch", "tile damaged"],
    },
    {
      kind: "tree_size, to nothing",
      sql: log("tree_size = 0, root = sha256('')"),
      found: ["log damaged", "root mismatch", "tile damaged", unfit],
    },
    {
      kind: "position, moved back",
      sql: log(`tx_id = ${txOf(470)}`),
      found: ["log damaged"],
    },
    {
      kind: "position, moved back to the beginning",
      sql: log("tx_id = '0'"),
      found: ["log damaged"],
    },
    {
      kind: "position, moved past transactions that have not begun",
      sql: log("tx_id = '1000000000000'"),
      found: ["log damaged"],
    },
    { kind: "era, raised", sql: log("era = 2"), found: ["log damaged"] },
    { kind: "era, lowered", sql: log("era = 0"), found: ["log damaged"] },
    { kind: "origin", sql: log("origin = 'example.org/other'"), found: ["log damaged"] },
    {
      kind: "era of new entries",
      sql: "alter table public.visit_log alter column era set default 7",
      found: ["log damaged"],
    },
    {
      kind: "published checkpoint, root",
      sql: "update pgtrail.published_checkpoint set root = sha256('x') where tree_size = 260",
      found: [unfit],
    },
    {
      kind: "published checkpoint, size",
      sql: "update pgtrail.published_checkpoint set tree_size = 261 where tree_size = 260",
      found: [unfit],
    },
    {
      kind: "published checkpoint, larger than the log",
      sql: "update pgtrail.published_checkpoint set tree_size = 9000 where tree_size = 260",
      found: [unfit],
    },
    {
      kind: "published checkpoint, all but the note that was signed",
      sql: `update pgtrail.published_checkpoint set tree_size = 250, root = pgtrail._range_hash(1, 0, 250)
            where tree_size = 260`,
      found: [unfit],
    },
  ],
  kindsOfTheLog,
);

kit("the position of the log, moved past entries that are not sealed, is found by them", [
  {
    kind: "position",
    sql: log("tx_id = pg_snapshot_xmin(pg_current_snapshot())"),
    found: [496, 497, 498].map((n) => `inserted audit_log ${audit(n)}`),
  },
]);

const format = (set: string) =>
  `update pgtrail.entry_format set ${set} where trail_name = 'visit_log'`;

kit("what an entry is made of cannot be changed", [
  {
    kind: "columns, in another order",
    sql: format("columns = array_remove(columns, 'purpose') || '{purpose}'"),
    found: everyVisit("altered"),
  },
  {
    kind: "columns, one fewer",
    sql: format("columns = array_remove(columns, 'purpose')"),
    found: everyVisit("altered"),
  },
  { kind: "erasable", sql: format("erasable = '{}'"), found: everyVisit("altered") },
  { kind: "digested", sql: format("digested = '{}'"), found: everyVisit("altered") },
  {
    kind: "a trail, no longer registered",
    sql: "delete from pgtrail.trail where trail_name = 'visit_log'",
    found: times(120, "missing"),
  },
  {
    kind: "a trail, registered as an edited copy",
    sql: `create table public.copy as select * from public.visit_log;
          alter table public.copy owner to pgtrail_owner;
          alter table public.copy alter column era set default 1;
          update public.copy set purpose = 'x' where id = '${visit(50)}';
          update pgtrail.trail set relation = 'public.copy' where trail_name = 'visit_log'`,
    found: [`altered visit_log ${visit(50)}`],
  },
]);

kit(
  "what an entry is made of cannot be removed",
  [
    {
      kind: "format",
      sql: "delete from pgtrail.entry_format where trail_name = 'visit_log'",
      found: ["log damaged"],
    },
  ],
  kindsOfTheLog,
);

/*
 * Entries and log, changed to fit each other: verify() finds nothing, once the checkpoints that the
 * database itself kept are gone too. Whoever has one of them does.
 */
interface Rewrite {
  kind: string;
  sql: string;
  /** Which of the published checkpoints, of 260, 572 and 614 leaves, still hold. */
  holds: [boolean, boolean, boolean];
}

const rehashAll = `
  update pgtrail.batch set root = pgtrail._range_hash(1, 0, first_leaf + entries);
  update pgtrail.log set root = pgtrail._range_hash(1, 0, tree_size)`;
/** Makes the log what it was before its last batch, which was the only one of its era. */
const cutOff = `
  delete from pgtrail.batch_content where first_leaf >= 574;
  ${removeBatch(574)};
  update pgtrail.tile set hashes = substr(hashes, 1, 62 * 32) where level = 0 and tile_index = 2;
  update pgtrail.log set tree_size = 574, tx_id = '0',
      root = (select root from pgtrail.batch where first_leaf = 572)`;
const removeEra = `
  delete from public.audit_log where era = 1;
  delete from public.visit_log where era = 1`;
const sealFromZero = `
  delete from pgtrail.late_entry;
  delete from pgtrail.batch_content;
  delete from pgtrail.batch;
  delete from pgtrail.tile;
  update public.audit_log set era = 0;
  update public.visit_log set era = 0;
  ${forEach("select relation from pgtrail.trail", "execute format('alter table %s alter column era set default 0', tampered);")};
  update pgtrail.log set tree_size = 0, root = sha256(''), era = 0, tx_id = '0', trail_name = '',
      entry_id = '00000000-0000-0000-0000-000000000000';
  select pgtrail.seal()`;

describe("a rewrite is given away by the checkpoints that were published", () => {
  const rewrites: Rewrite[] = [
    {
      kind: "an early entry, edited, with its leaf and every hash above it",
      sql: `${update(20, "action = 'x'")}; ${replaceLeaf(audit(20), 24)}; ${rehash(0)}; ${rehashAll}`,
      holds: [false, false, false],
    },
    {
      kind: "the latest entries, edited, with their leaves and every hash above them",
      sql: `${update(470, "action = 'x'")}; ${replaceLeaf(audit(470), 580)}; ${rehashAll}`,
      holds: [true, true, false],
    },
    {
      kind: "the end, cut off",
      sql: `${cutOff}; ${removeEra}`,
      holds: [true, true, false],
    },
    {
      kind: "the last batch, sealed again without one of its entries",
      sql: `${cutOff}; ${remove(audit(470))}; select pgtrail.seal()`,
      holds: [true, true, false],
    },
    {
      kind: "an older state, put back, and the log gone on from there beyond its size",
      sql: `create temporary table era_1 as select max(tx_id) as tx_id from public.audit_log where era = 1;
            ${cutOff}; ${removeEra};
            insert into public.audit_log (organisation_id, action, era, tx_id)
            select '${ids.organisationA}', 'another', 1, era_1.tx_id from era_1, generate_series(1, 100);
            select pgtrail.seal()`,
      holds: [true, true, false],
    },
    {
      kind: "an entry, edited, and all sealed from zero",
      sql: `${update(20, "action = 'x'")}; ${sealFromZero}`,
      holds: [false, false, false],
    },
    {
      kind: "an entry, removed, and all sealed from zero",
      sql: `${remove(audit(20))}; ${sealFromZero}`,
      holds: [false, false, false],
    },
    {
      kind: "an entry, inserted into the past, and all sealed from zero",
      sql: `${insert(txOf(20))}; ${sealFromZero}`,
      holds: [false, false, false],
    },
    {
      kind: "everything, removed",
      sql: `delete from public.audit_log; delete from public.visit_log; ${sealFromZero}`,
      holds: [false, false, false],
    },
  ];

  test.each(rewrites)("$kind", async ({ sql, holds }) => {
    await tampering(async (client) => {
      await client.query(sql);
      expect(all(await verify(client))).toEqual(times(holds.filter((held) => !held).length, unfit));
      await client.query("delete from pgtrail.published_checkpoint");
      expect(await verify(client)).toEqual([]);

      for (const [i, kept] of published.entries()) {
        expect(await holdsInDatabase(client, kept)).toBe(holds[i]);
        expect(await holdsForSigner(client, kept)).toBe(holds[i]);
        expect(await isRecorded(client, kept)).toBe(holds[i]);
      }
    });
  });

  test("a new origin hides no rewrite: the old checkpoints do not hold, and it is listed", async () => {
    await tampering(async (client) => {
      await client.query(`${update(20, "action = 'x'")}; ${sealFromZero}`);
      await client.query("select pgtrail.start_new_origin('nothing to see here')");
      expect(await verify(client)).toEqual([]);
      for (const kept of published) expect(await holdsInDatabase(client, kept)).toBe(false);
      const { rows } = await client.query("select reason from pgtrail.origin order by started_at");
      expect(rows).toEqual([{ reason: "the log was created" }, { reason: "nothing to see here" }]);
    });
  });

  test("an old checkpoint is not taken for that of another size", async () => {
    const [oldest, , newest] = published as [LogHead, LogHead, LogHead];
    for (const replayed of [
      { ...oldest, size: newest.size },
      { ...newest, size: oldest.size },
    ]) {
      expect(await holdsInDatabase(database.superuser, replayed)).toBe(false);
      expect(await holdsForSigner(database.superuser, replayed)).toBe(false);
    }
  });

  test("no proof is made of an entry that does not match the log", async () => {
    const [kept] = published as [LogHead];
    for (const sql of [
      update(20, "action = 'x'"),
      insert(txOf(20), "0", audit(20).replace("-8", "-9")),
    ]) {
      await tampering(async (client) => {
        const { rows } = await client.query<{ id: string }>(`${sql} returning id`);
        const proof = client.query("select pgtrail.tlog_proof('public.audit_log', $1, $2)", [
          rows[0]?.id,
          noteOf(kept),
        ]);
        expect(await sqlstate(proof)).toBe("TR003");
      });
    }
  });
});

async function holdsInDatabase(client: Queryable, { size, root }: LogHead): Promise<boolean> {
  const { rows } = await client.query("select pgtrail.verify_checkpoint($1, $2) as holds", [
    size,
    root,
  ]);
  return rows[0].holds;
}

/** Whether the signer, which trusts its last checkpoint and nothing else, would sign the present one. */
async function holdsForSigner(client: Queryable, kept: LogHead): Promise<boolean> {
  const present = await checkpoint(client);
  if (present.size < kept.size) return false;
  const hashes = await consistencyProof(client, kept.size, present.size);
  return provesConsistency(kept.size, kept.root, present.size, present.root, hashes);
}

/** Whether the database takes the signed checkpoint as one of its own. */
async function isRecorded(client: Queryable, kept: LogHead): Promise<boolean> {
  await client.query("savepoint attempt");
  try {
    await client.query("select pgtrail.record_published_checkpoint($1)", [noteOf(kept)]);
    return true;
  } catch (error) {
    expect((error as pg.DatabaseError).code).toBe("TR003");
    await client.query("rollback to attempt");
    return false;
  }
}

describe("what neither verify() nor a checkpoint shows", () => {
  test("an entry that is changed before it is sealed", async () => {
    await tampering(async (client) => {
      await client.query(update(496, "action = 'x'"));
      await client.query(remove(audit(497)));
      expect(await verify(client)).toEqual([]);
    });
  });

  test("a purge that never was: but it has to be written down, and old proofs still hold", async () => {
    const [kept] = published as [LogHead];
    const { rows } = await database.superuser.query(
      "select * from pgtrail.inclusion_proof('public.audit_log', $1, $2)",
      [audit(20), kept.size],
    );
    const proof = rows[0];
    await tampering(async (client) => {
      await client.query(`${remove(audit(20))}; ${content("purged = 1", 0)}`);
      expect(await verify(client)).toEqual([]);
      expect(await holdsInDatabase(client, kept)).toBe(true);
      const { rows: purges } = await client.query(
        "select first_leaf::int as first_leaf, purged from pgtrail.batch_content where purged > 0 order by first_leaf",
      );
      expect(purges).toEqual([
        { first_leaf: 0, purged: 1 },
        { first_leaf: 120, purged: 5 },
      ]);
    });
    expect(provesInclusion(24, kept.size, leafHash(proof.entry), proof.hashes, kept.root)).toBe(
      true,
    );
  });

  test("a purged entry that is put back for another of its trail and month", async () => {
    await tampering(async (client) => {
      await client.query(`${putBack(audit(97))}; ${remove(audit(100))}`);
      expect(await verify(client)).toEqual([]);
    });
  });
});

describe("in a log of three levels", () => {
  const large = useDatabase(cluster);
  const leaves = 66_000;

  async function found(sql: string): Promise<Defect[]> {
    return tampering((client) => client.query(sql).then(() => verify(client)), "rollback", large);
  }

  beforeAll(async () => {
    await large.superuser.query(
      `insert into public.audit_log (organisation_id, action, entity_type, entity_id)
       select $1, 'test', 'thing', n::text from generate_series(1, $2::int) as n`,
      [ids.organisationA, leaves],
    );
    expect(await seal(large.superuser)).toBe(leaves);
  });

  test("one edited entry is found, as that entry and no other", async () => {
    const { rows } = await large.superuser.query<{ id: string }>(
      "select id from public.audit_log where entity_id = '40000'",
    );
    const defects = await found(
      "update public.audit_log set action = 'x' where entity_id = '40000'",
    );
    expect(all(defects)).toEqual([`altered audit_log ${rows[0]?.id}`]);
  });

  test.each([
    { kind: "level 2, edited", sql: overwrite(2, 0, 0) },
    { kind: "level 2, removed", sql: removeTile(2, 0) },
    { kind: "level 1, full, edited", sql: overwrite(1, 0, 200) },
    { kind: "level 1, full, removed", sql: removeTile(1, 0) },
    { kind: "level 0, full, removed", sql: removeTile(0, 100) },
  ])("a damaged tile is found, and no entry is blamed for it: $kind", async ({ sql }) => {
    const defects = kinds(await found(sql));
    expect(defects).toContain("tile damaged");
    expect(defects.filter((each) => !/^(tile damaged|root mismatch)$/.test(each))).toEqual([]);
  });
});
