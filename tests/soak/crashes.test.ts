import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { expect, test } from "vitest";
import { ids, useCluster, useDatabase, withClient } from "../harness/index.js";
import { checkpoint, consistencyProof, type LogHead, seal, verify } from "../harness/log.js";
import { provesConsistency } from "../harness/merkle.js";
import { soakSeconds } from "./seconds.js";

// Writers do not wait for the disk: what they committed last may be lost. What is sealed may not.
const cluster = useCluster({ synchronous_commit: "off" });
const database = useDatabase(cluster);

const rounds = Math.min(10, Math.max(1, Math.floor(soakSeconds / 6)));
const backlog = 40_000;

/** A connection that the server may cut at any time. */
async function connect(): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: database.url() });
  client.on("error", () => {});
  await client.connect();
  return client;
}

async function record(client: pg.Client, entries: number): Promise<void> {
  await client.query(
    `insert into public.audit_log (organisation_id, action, entity_type, entity_id)
     select $1, 'soak', 'thing', n::text from generate_series(1, $2::int) as n`,
    [ids.organisationA, entries],
  );
}

/** Does `work` on a connection again and again, until the server goes away. */
async function untilKilled(work: (client: pg.Client) => Promise<void>): Promise<void> {
  const client = await connect();
  try {
    for (;;) await work(client);
  } catch (error) {
    if (error instanceof pg.DatabaseError && !/^(57P0|08)/.test(error.code ?? "")) throw error;
  }
}

/** Bytes of the tiles on disk, those of transactions that are under way included. */
async function tileBytes(client: pg.Client): Promise<number> {
  const { rows } = await client.query("select pg_table_size('pgtrail.tile')::int as bytes");
  return rows[0].bytes;
}

/** Resolves when the seal on a connection has begun and written that many batches. */
async function untilSealed(sealer: number, batches: number): Promise<void> {
  await withClient(database.url(), async (client) => {
    for (;;) {
      const { rows } = await client.query(
        "select backend_xid is not null as begun from pg_stat_activity where pid = $1",
        [sealer],
      );
      if (rows[0]?.begun) break;
      await delay(1);
    }
    const start = await tileBytes(client);
    // A batch is 10,000 leaves of 32 bytes.
    while ((await tileBytes(client)) < start + batches * 320_000) await delay(1);
  });
}

for (let round = 0; round < rounds; round++) {
  const batches = round % 4;
  test(`round ${round + 1}: killed in the midst of a seal, when it has written ${batches} batches`, async () => {
    const seen: LogHead[] = [];
    await withClient(database.url(), async (client) => {
      // The backlog is not to be lost.
      await client.query("set synchronous_commit = on");
      await record(client, backlog);
    });

    const load = [0, 1, 2].map(() => untilKilled((client) => record(client, 5)));
    const publisher = untilKilled(async (client) => {
      seen.push(await checkpoint(client));
    });
    const sealer = await connect();
    const { rows: self } = await sealer.query("select pg_backend_pid() as pid");
    const sealing = seal(sealer, 50_000).then(
      () => "finished",
      () => "interrupted",
    );
    await untilSealed(self[0].pid, batches);
    await cluster.kill();

    expect(await sealing).toBe("interrupted");
    await Promise.all([...load, publisher]);
    expect(seen.length).toBeGreaterThan(0);

    await withClient(database.url(), async (client) => {
      // Nothing half done, and everything that was seen.
      expect(await verify(client)).toEqual([]);
      await expectToHold(client, seen);

      // It goes on, and every entry that was not lost is a leaf. The seal may have committed when the kill came.
      const { size } = await checkpoint(client);
      const sealed = await seal(client);
      const { rows } = await client.query("select count(*)::int as entries from public.audit_log");
      expect(size + sealed).toBe(rows[0].entries);
      expect((await checkpoint(client)).size).toBe(rows[0].entries);
      await expectToHold(client, seen);
    });
  });
}

test("a seal that has returned survives", async () => {
  const seen: LogHead[] = [];
  for (let round = 0; round < rounds; round++) {
    await withClient(database.url(), (client) => record(client, 500));
    const load = [0, 1, 2].map(() => untilKilled((client) => record(client, 5)));
    const sealer = await connect();
    expect(await seal(sealer, 50_000)).toBeGreaterThan(0);
    seen.push(await checkpoint(sealer));
    await cluster.kill();
    await Promise.all(load);
    await withClient(database.url(), (client) => expectToHold(client, seen));
  }
  await withClient(database.url(), async (client) => {
    await seal(client);
    expect(await verify(client)).toEqual([]);
  });
});

/** Checkpoints that were seen are those of the beginning of the present tree. */
async function expectToHold(client: pg.Client, seen: LogHead[]): Promise<void> {
  const head = await checkpoint(client);
  const sizes = new Map(seen.map((each) => [each.size, each.root]));
  for (const [size, root] of sizes) {
    expect(size).toBeLessThanOrEqual(head.size);
    const hashes = await consistencyProof(client, size, head.size);
    expect(provesConsistency(size, root, head.size, head.root, hashes)).toBe(true);
  }
}
