import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { beforeAll, expect, test } from "vitest";
import { ids, useCluster, useDatabase, withClient } from "../harness/index.js";
import { checkpoint, consistencyProof, type LogHead, seal, verify } from "../harness/log.js";
import { leafHash, merkleTree, provesConsistency } from "../harness/merkle.js";
import { soakSeconds } from "./seconds.js";

const cluster = useCluster({ max_prepared_transactions: "20", max_connections: "50" });
const database = useDatabase(cluster);

/** A connection that can be told apart in pg_stat_activity. */
async function connect(name: "writer" | "sealer"): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: database.url(), application_name: name });
  await client.connect();
  return client;
}

beforeAll(async () => {
  await database.migrator.query(`
    set role pgtrail_owner;
    create table public.visit_log (
      id uuid primary key default pgtrail.uuid7(),
      visited_at timestamptz generated always as (pgtrail.uuid7_time(id)) stored,
      org_id uuid, guest text,
      recorded_at timestamptz not null default clock_timestamp(),
      era smallint not null default 0,
      tx_id xid8 not null default pg_current_xact_id(),
      erasure_salt uuid default gen_random_uuid()
    ) partition by range (id);
    select pgtrail.create_trail('public.visit_log', 'org_id', erasable => '{guest}');
    reset role`);
});

/** Inserts into both trails. Returns the ids of the entries. */
async function insert(client: pg.Client, entries: number): Promise<string[]> {
  const audits = await client.query<{ id: string }>(
    `insert into public.audit_log (organisation_id, action, details)
     select $1, 'soak', jsonb_build_object('n', n) from generate_series(1, $2::int) as n returning id`,
    [ids.organisationA, entries],
  );
  const visits = await client.query<{ id: string }>(
    "insert into public.visit_log (org_id, guest) values ($1, 'guest') returning id",
    [ids.organisationA],
  );
  return [...audits.rows, ...visits.rows].map(({ id }) => id);
}

/** What a writer does in one go. Each resolves with the ids that it committed. */
const transactions: Record<string, (client: pg.Client, name: string) => Promise<string[]>> = {
  async statement(client) {
    return insert(client, 1);
  },
  async commit(client) {
    await client.query("begin");
    const kept = [...(await insert(client, 20)), ...(await insert(client, 1))];
    await client.query("commit");
    return kept;
  },
  async rollback(client) {
    await client.query("begin");
    await insert(client, 20);
    await client.query("rollback");
    return [];
  },
  async savepoints(client) {
    await client.query("begin");
    const kept = await insert(client, 2);
    await client.query("savepoint a");
    await insert(client, 3);
    await client.query("rollback to a");
    kept.push(...(await insert(client, 2)));
    await client.query("savepoint b");
    kept.push(...(await insert(client, 2)));
    await client.query("release b");
    await client.query("commit");
    return kept;
  },
  async onlyWithinASavepoint(client) {
    await client.query("begin; savepoint a");
    const kept = await insert(client, 2);
    await client.query("release a; commit");
    return kept;
  },
  async long(client) {
    await client.query("begin");
    const kept = await insert(client, 5);
    await client.query("select pg_sleep(0.2 + random())");
    kept.push(...(await insert(client, 5)));
    await client.query("commit");
    return kept;
  },
  async late(client) {
    // Has its id long before it writes.
    await client.query("begin; select pg_current_xact_id(); select pg_sleep(random())");
    const kept = await insert(client, 3);
    await client.query("commit");
    return kept;
  },
  async prepared(client, name) {
    await client.query("begin");
    const kept = await insert(client, 5);
    await client.query(`prepare transaction '${name}'`);
    await client.query("select pg_sleep(random() / 2)");
    await client.query(`commit prepared '${name}'`);
    return kept;
  },
  async preparedAndRolledBack(client, name) {
    await client.query("begin");
    await insert(client, 5);
    await client.query(`prepare transaction '${name}'`);
    await client.query(`rollback prepared '${name}'`);
    return [];
  },
  async failing(client) {
    await client.query("begin");
    await insert(client, 5);
    await expect(client.query("select 1 / 0")).rejects.toThrow("division by zero");
    await client.query("commit");
    return [];
  },
};

/** Writers that wait for a lock which a sealer holds, or has asked for before them. */
const blockedWriters = `
  select writer.pid, writer.wait_event_type, writer.wait_event, left(writer.query, 60) as query
  from pg_stat_activity as writer
  where writer.application_name = 'writer'
    and pg_blocking_pids(writer.pid)
        && (select array_agg(pid) from pg_stat_activity where application_name = 'sealer')`;

test(`${soakSeconds} s of writers and two sealers: every entry is a leaf, once, and no writer waits for a sealer`, async () => {
  const end = Date.now() + soakSeconds * 1000;
  let failed = false;
  const running = () => Date.now() < end && !failed;
  const committed: string[] = [];
  const runs: Record<string, number> = {};
  const sealed = [0, 0];
  const heads: LogHead[] = [];
  const blocked: unknown[] = [];
  let samples = 0;
  let waitingSealers = 0;

  async function write(writer: number): Promise<void> {
    const client = await connect("writer");
    const kinds = Object.entries(transactions);
    // Each begins with another kind and goes through all of them.
    for (let turn = writer * 2; running(); turn++) {
      const [kind, run] = kinds[turn % kinds.length] as (typeof kinds)[number];
      committed.push(...(await run(client, `writer ${writer} turn ${turn}`)));
      runs[kind] = (runs[kind] ?? 0) + 1;
    }
    await client.end();
  }

  async function keepSealing(sealer: number): Promise<void> {
    const client = await connect("sealer");
    for (let turn = 0; running(); turn++) {
      // Often less than there is, so that batches end within transactions.
      const taken = await seal(client, turn % 3 === 0 ? 50_000 : 7);
      sealed[sealer] = (sealed[sealer] ?? 0) + taken;
      if (turn % 50 === 0) heads.push(await checkpoint(client));
    }
    await client.end();
  }

  async function watch(): Promise<void> {
    await withClient(database.url(), async (client) => {
      while (running()) {
        blocked.push(...(await client.query(blockedWriters)).rows);
        const { rows } = await client.query(
          `select count(*)::int as waiting from pg_stat_activity
           where application_name = 'sealer' and wait_event_type = 'Lock'`,
        );
        waitingSealers += rows[0].waiting;
        samples++;
        await delay(10);
      }
    });
  }

  // When one fails the others stop, and nobody is left behind when the cluster goes away.
  const work = [...[0, 1, 2, 3, 4, 5].map(write), ...[0, 1].map(keepSealing), watch()];
  const ends = work.map((each) =>
    each.catch((error) => {
      failed = true;
      throw error;
    }),
  );
  await Promise.allSettled(ends);
  await Promise.all(ends);
  await seal(database.superuser);

  // No writer waited, and the watcher could have seen one: sealers do wait for each other.
  expect(blocked).toEqual([]);
  expect(samples).toBeGreaterThan(soakSeconds * 5);
  expect(waitingSealers).toBeGreaterThan(0);
  expect(Object.keys(runs).sort()).toEqual(Object.keys(transactions).sort());
  expect(Math.min(...sealed)).toBeGreaterThan(0);

  // What was committed is there, and nothing else.
  const { rows: entries } = await database.superuser.query<{ id: string }>(
    "select id from public.audit_log union all select id from public.visit_log order by id",
  );
  expect(entries.map(({ id }) => id)).toEqual(committed.sort());

  // Each is a leaf, once.
  const leaves = await allLeaves();
  expect(new Set(leaves).size).toBe(leaves.length);
  expect([...leaves].sort()).toEqual(await leavesOfEntries());

  // The tree only ever grew.
  const head = await checkpoint(database.superuser);
  expect(head.size).toBe(committed.length);
  const tree = merkleTree(leaves.map((leaf) => Buffer.from(leaf, "hex")));
  expect(head.root).toEqual(tree.root(head.size));
  for (const { size, root } of heads) {
    expect(root).toEqual(tree.root(size));
    const hashes = await consistencyProof(database.superuser, size, head.size);
    expect(provesConsistency(size, root, head.size, head.root, hashes)).toBe(true);
  }
  expect(await verify(database.superuser)).toEqual([]);
});

/** Hashes of all leaves in their order, in hex. */
async function allLeaves(): Promise<string[]> {
  const { rows } = await database.superuser.query<{ hashes: string }>(
    "select encode(hashes, 'hex') as hashes from pgtrail.tile where level = 0 order by tile_index",
  );
  return rows.flatMap(({ hashes }) => hashes.match(/.{64}/g) ?? []);
}

/** Hashes of the leaves that the entries of both trails make, sorted, in hex. */
async function leavesOfEntries(): Promise<string[]> {
  const leaves: string[] = [];
  for (const trail of ["audit_log", "visit_log"]) {
    const { rows: expression } = await database.superuser.query<{ sql: string }>(
      "select pgtrail._entry_expression($1, 1::smallint) as sql",
      [trail],
    );
    const { rows } = await database.superuser.query<{ bytes: Buffer }>(
      `select ${expression[0]?.sql} as bytes from public.${trail} as entry`,
    );
    leaves.push(...rows.map(({ bytes }) => leafHash(bytes).toString("hex")));
  }
  return leaves.sort();
}
