import type pg from "pg";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { useCluster, useDatabase, withClient } from "../harness/index.js";

const cluster = useCluster({ fsync: "off", wal_level: "logical" });
const publisher = useDatabase(cluster);
const subscriber = useDatabase(cluster);

const columns = "id int primary key, n int";
const triggers = ["insert", "update", "delete", "truncate"].map(
  (each) => `pgtrail_capture_${each}`,
);

beforeAll(async () => {
  for (const { migrator } of [publisher, subscriber]) {
    for (const table of ["public.copied", "public.plain"]) {
      await migrator.query(`create table ${table} (${columns})`);
      // The apply worker fires the triggers of rows only.
      await migrator.query("select pgtrail.track($1::regclass, level => $2)", [
        table,
        table === "public.copied" ? "row" : null,
      ]);
    }
  }
});

async function enableAlways(table: string): Promise<void> {
  for (const trigger of triggers) {
    await subscriber.migrator.query(`alter table ${table} enable always trigger ${trigger}`);
  }
}

async function captured(table: string): Promise<unknown[]> {
  const { rows } = await subscriber.superuser.query(
    "select action, entity_id, changes, actor_kind from public.audit_log where entity_type = $1 order by id",
    [table],
  );
  return rows;
}

async function trackedTables(): Promise<string> {
  const { rows } = await subscriber.superuser.query(
    "select status from pgtrail.health() where check_name = 'tracked tables'",
  );
  return rows[0].status;
}

const entry = (table: string, did: string, id: string | null, changes: unknown) => ({
  action: `${table}.${did}`,
  entity_id: id,
  changes,
  actor_kind: "system",
});

describe("session_replication_role = replica", () => {
  async function write(client: pg.Client, id: number): Promise<void> {
    await client.query("insert into public.plain values ($1, 1)", [id]);
    await client.query("update public.plain set n = 2 where id = $1", [id]);
    await client.query("delete from public.plain where id = $1", [id]);
    await client.query("truncate public.plain");
  }

  const asReplica = (id: number) =>
    withClient(subscriber.url(), async (client) => {
      await client.query("set session_replication_role = replica");
      await write(client, id);
    });

  test("is not captured, until the triggers are always enabled", async () => {
    await asReplica(1);
    expect(await captured("public.plain")).toEqual([]);
    await enableAlways("public.plain");
    expect(await trackedTables()).toBe("ok");
    await asReplica(2);
    const changes = [
      entry("plain", "inserted", "2", { id: { new: 2 }, n: { new: 1 } }),
      entry("plain", "updated", "2", { n: { old: 1, new: 2 } }),
      entry("plain", "deleted", "2", { id: { old: 2 }, n: { old: 2 } }),
      entry("plain", "truncated", null, null),
    ];
    expect(await captured("public.plain")).toEqual(changes);
    // Others are captured as before.
    await withClient(subscriber.url(), (client) => write(client, 2));
    expect(await captured("public.plain")).toEqual([...changes, ...changes]);
  });

  test("and not after track() made them anew", async () => {
    await subscriber.migrator.query("select pgtrail.track('public.plain')");
    const before = await captured("public.plain");
    await asReplica(3);
    expect(await captured("public.plain")).toEqual(before);
  });
});

describe("logical replication", () => {
  async function write(statement: string): Promise<void> {
    await publisher.superuser.query(statement);
  }

  /** Waits until the subscriber has the row, and with it what its transaction captured. */
  async function arrived(id: number, n: number | undefined): Promise<void> {
    await vi.waitFor(
      async () => {
        const { rows } = await subscriber.superuser.query(
          "select n from public.copied where id = $1",
          [id],
        );
        expect(rows[0]?.n).toBe(n);
      },
      { timeout: 20_000, interval: 50 },
    );
  }

  beforeAll(async () => {
    await publisher.superuser.query("create publication copied for table public.copied");
    // Between databases of one cluster, CREATE SUBSCRIPTION would wait for itself to make the slot.
    await publisher.superuser.query(
      "select pg_create_logical_replication_slot('copied', 'pgoutput')",
    );
    await subscriber.superuser.query(
      `create subscription copied connection '${publisher.url()}' publication copied
       with (create_slot = false, slot_name = 'copied', copy_data = false)`,
    );
  });

  test("is not captured, until the triggers are always enabled", async () => {
    await write("insert into public.copied values (1, 1)");
    await arrived(1, 1);
    expect(await captured("public.copied")).toEqual([]);

    await enableAlways("public.copied");
    await write("insert into public.copied values (2, 1)");
    await write("update public.copied set n = 2 where id = 2");
    await arrived(2, 2);
    await write("delete from public.copied where id = 2");
    await arrived(2, undefined);
    await write("insert into public.copied values (2, 5)");
    await arrived(2, 5);
    await write("truncate public.copied");
    await arrived(2, undefined);
    expect(await captured("public.copied")).toEqual([
      entry("copied", "inserted", "2", { id: { new: 2 }, n: { new: 1 } }),
      entry("copied", "updated", "2", { n: { old: 1, new: 2 } }),
      entry("copied", "deleted", "2", { id: { old: 2 }, n: { old: 2 } }),
      entry("copied", "inserted", "2", { id: { new: 2 }, n: { new: 5 } }),
      entry("copied", "truncated", null, null),
    ]);
  });

  test("a subscriber that cannot record stops, and goes on where it was", async () => {
    await subscriber.superuser.query(
      "alter table public.audit_log add constraint nothing_is_true check (false) not valid",
    );
    await write("insert into public.copied values (3, 1)");
    await vi.waitFor(
      async () => {
        const { rows } = await subscriber.superuser.query(
          "select apply_error_count from pg_stat_subscription_stats where subname = 'copied'",
        );
        expect(Number(rows[0]?.apply_error_count)).toBeGreaterThan(0);
      },
      { timeout: 20_000, interval: 50 },
    );
    await subscriber.superuser.query(
      "alter table public.audit_log drop constraint nothing_is_true",
    );
    await arrived(3, 1);
    expect((await captured("public.copied")).at(-1)).toEqual(
      entry("copied", "inserted", "3", { id: { new: 3 }, n: { new: 1 } }),
    );
  });
});
