import { beforeAll, describe, expect, test } from "vitest";
import { ids, sqlstate, useCluster, useDatabase } from "../harness/index.js";

// Sealing waits for every open transaction of a cluster: it has one of its own.
const cluster = useCluster({ max_prepared_transactions: "5", fsync: "off" });
const database = useDatabase(cluster);

/** Records events and seals them. */
async function recordAndSeal(entries: number): Promise<void> {
  await record(entries);
  await seal();
}

async function record(entries: number): Promise<string[]> {
  const { rows } = await database.as("service", (client) =>
    client.query<{ id: string }>(
      `select public.record_audit_event($1, 'test.' || n, 'thing', n::text, p_details => jsonb_build_object('n', n)) as id
       from generate_series(1, $2::int) as n`,
      [ids.organisationA, entries],
    ),
  );
  return rows.map((row) => row.id);
}

async function seal(maxEntries = 50_000, client = database.superuser): Promise<number> {
  const { rows } = await client.query<{ sealed: string }>("select pgtrail.seal($1) as sealed", [
    maxEntries,
  ]);
  return Number(rows[0]?.sealed);
}

async function treeSize(): Promise<number> {
  const { rows } = await database.superuser.query<{ tree_size: string }>(
    "select tree_size from pgtrail.log",
  );
  return Number(rows[0]?.tree_size);
}

async function entries(): Promise<number> {
  const { rows } = await database.superuser.query<{ n: string }>(
    "select count(*) as n from public.audit_log",
  );
  return Number(rows[0]?.n);
}

interface Defect {
  defect: string;
  trail_name: string | null;
  entry_id: string | null;
  detail: string;
}

async function verify(client = database.superuser): Promise<Defect[]> {
  const { rows } = await client.query<Defect>("select * from pgtrail.verify()");
  return rows;
}

describe("seal", () => {
  test("takes every committed entry once; then there is nothing to do", async () => {
    const before = await treeSize();
    await record(300);
    expect(await seal()).toBe(300);
    expect(await seal()).toBe(0);
    expect(await treeSize()).toBe(before + 300);
    expect(await verify()).toEqual([]);
  });

  test("waits for a transaction that is open, and is not waited for", async () => {
    const writer = await database.superuser.connect();
    try {
      await writer.query("begin");
      await writer.query(
        "insert into public.audit_log (organisation_id, action) values ($1, 'open')",
        [ids.organisationA],
      );
      await record(5);
      expect(await seal()).toBe(0);
      await writer.query("commit");
    } finally {
      writer.release();
    }
    expect(await seal()).toBe(6);
    expect(await treeSize()).toBe(await entries());
  });

  test("waits for a prepared transaction, which health() names", async () => {
    const writer = await database.superuser.connect();
    try {
      await writer.query("begin");
      await writer.query(
        "insert into public.audit_log (organisation_id, action) values ($1, 'prepared')",
        [ids.organisationA],
      );
      await writer.query("prepare transaction 'held'");
      await record(2);
      expect(await seal()).toBe(0);
      const { rows } = await database.superuser.query(
        "select detail from pgtrail.health() where check_name = 'seal lag'",
      );
      expect(rows[0].detail).toContain("prepared transaction 'held'");
      await writer.query("commit prepared 'held'");
    } finally {
      writer.release();
    }
    expect(await seal()).toBe(3);
  });

  test("does not wait for who only reads", async () => {
    const reader = await database.superuser.connect();
    try {
      await reader.query("begin isolation level repeatable read read only");
      await reader.query("select count(*) from public.audit_log");
      await record(4);
      expect(await seal()).toBe(4);
    } finally {
      await reader.query("rollback");
      reader.release();
    }
  });

  test("two sealers and many writers at once: nothing twice, nothing missed", async () => {
    const writers = Array.from({ length: 6 }, async () => {
      for (let n = 0; n < 15; n++) await record(20);
    });
    let writing = true;
    const sealers = Array.from({ length: 2 }, async () => {
      while (writing) await seal();
    });
    await Promise.all(writers);
    writing = false;
    await Promise.all(sealers);
    await seal();
    expect(await treeSize()).toBe(await entries());
    expect(await verify()).toEqual([]);
  });

  test("sets aside what cannot be encoded, and health() says so", async () => {
    const { rows } = await database.superuser.query<{ id: string }>(
      "insert into public.audit_log (organisation_id, action, recorded_at) values ($1, 'poison', 'infinity') returning id",
      [ids.organisationA],
    );
    await record(3);
    expect(await seal()).toBe(3);
    const found = await database.superuser.query(
      "select entry_id, sqlstate from pgtrail.unsealable_entry",
    );
    expect(found.rows).toEqual([{ entry_id: rows[0]?.id, sqlstate: "0A000" }]);
    const health = await database.superuser.query(
      "select status from pgtrail.health() where check_name = 'unsealable entries'",
    );
    expect(health.rows).toEqual([{ status: "warning" }]);
    expect(await verify()).toEqual([]);
  });

  test("covers a trail that is made later, with large columns digested", async () => {
    await database.migrator.query(`
      set role pgtrail_owner;
      create table public.run_log (
        id uuid primary key default pgtrail.uuid7(),
        ran_at timestamptz generated always as (pgtrail.uuid7_time(id)) stored,
        org_id uuid, numbers int[], amount numeric, ok boolean, at timestamptz, raw bytea, output text,
        recorded_at timestamptz not null default clock_timestamp(),
        era smallint not null default 0,
        tx_id xid8 not null default pg_current_xact_id()
      ) partition by range (id);
      select pgtrail.create_trail('public.run_log', 'org_id', digested => '{output}');
      reset role`);
    await database.as("service", (client) =>
      client.query(
        `insert into public.run_log (org_id, numbers, amount, ok, at, raw, output)
         values ($1, '{1,2}', 1.50, true, now(), '\\xdead', repeat('long ', 40000)), (null, null, null, null, null, null, null)`,
        [ids.organisationA],
      ),
    );
    expect(await seal()).toBe(2);
    expect(await verify()).toEqual([]);
  });

  test.each([
    "TimeZone = 'Asia/Tokyo'",
    "DateStyle = 'SQL, DMY'",
    "bytea_output = 'escape'",
    "extra_float_digits = -15",
    "client_encoding = 'LATIN1'",
    "IntervalStyle = 'sql_standard'",
  ])("what an entry is does not depend on %s", async (setting) => {
    const client = await database.superuser.connect();
    try {
      await client.query("begin");
      await client.query(`set local ${setting}`);
      expect((await client.query("select * from pgtrail.verify()")).rows).toEqual([]);
    } finally {
      await client.query("rollback");
      client.release();
    }
  });

  test("a column that is added later makes a new format, and old entries still verify", async () => {
    await database.migrator.query(`
      set role pgtrail_owner;
      alter table public.run_log add column note text;
      select pgtrail.create_trail('public.run_log', 'org_id', digested => '{output}');
      select pgtrail.create_trail('public.run_log', 'org_id', digested => '{output}');
      reset role`);
    await database.as("service", (client) =>
      client.query("insert into public.run_log (org_id, note) values ($1, 'new')", [
        ids.organisationA,
      ]),
    );
    await seal();
    const { rows } = await database.superuser.query(
      "select array_agg(version order by version) as versions from pgtrail.entry_format where trail_name = 'run_log'",
    );
    expect(rows).toEqual([{ versions: [1, 2] }]);
    expect(await verify()).toEqual([]);
    const forger = await database.superuser.connect();
    try {
      await forger.query("begin");
      await forger.query("alter table public.run_log disable trigger all");
      await forger.query("update public.run_log set note = 'forged' where note = 'new'");
      expect((await forger.query("select * from pgtrail.verify()")).rows).toMatchObject([
        { defect: "altered", trail_name: "run_log" },
      ]);
    } finally {
      await forger.query("rollback");
      forger.release();
    }
    expect(await verify()).toEqual([]);
  });

  test.each(["anon", "coordinatorA", "service", "auditor"] as const)(
    "%s may neither seal nor write to the log",
    async (persona) => {
      for (const statement of [
        "select pgtrail.seal()",
        "insert into pgtrail.tile values (1, 0, 99, sha256(''))",
        "update pgtrail.log set tree_size = 0",
        "delete from pgtrail.batch",
        "select pgtrail._append_batch(null, null, null, null, null, null)",
        "select pgtrail.record_published_checkpoint('x')",
        "select pgtrail.start_new_origin('x')",
      ]) {
        expect(
          await sqlstate(database.as(persona, (client) => client.query(statement))),
          statement,
        ).toBe("42501");
      }
    },
  );

  test("bad arguments are refused", async () => {
    for (const [statement, code] of [
      ["select pgtrail.seal(0)", "22023"],
      ["select pgtrail.seal(null)", "22023"],
      ["select pgtrail.checkpoint(-1)", "22023"],
      ["select pgtrail.checkpoint(1000000000)", "22023"],
      ["select pgtrail.consistency_proof(5, 3)", "22023"],
      ["select pgtrail.inclusion_proof('public.organisations', gen_random_uuid())", "22023"],
      ["select pgtrail.inclusion_proof('public.audit_log', gen_random_uuid())", "PT404"],
      ["select pgtrail.verify('public.organisations')", "22023"],
      ["select pgtrail.verify_batch(1)", "PT404"],
      ["select pgtrail.verify_slice(0)", "22023"],
      ["select pgtrail.start_new_origin('')", "22023"],
      ["select pgtrail.start_new_origin('why', 'a b')", "22023"],
      ["select pgtrail.tlog_proof('public.audit_log', gen_random_uuid(), 'x')", "22P02"],
      ["select pgtrail.record_published_checkpoint('x')", "22P02"],
    ] as const) {
      expect(await sqlstate(database.superuser.query(statement)), statement).toBe(code);
    }
  });
});

describe("after a restore into another cluster", () => {
  beforeAll(() => recordAndSeal(50));

  test("transaction ids start again: the era is closed, late writes are sealed, and new ones follow", async () => {
    const before = await treeSize();
    // Another cluster: another identifier, and ids that lie below what is sealed already.
    await database.superuser.query("update pgtrail.log set system_identifier = 1");
    const unsealed = await record(3);
    const { rows: late } = await database.superuser.query<{ id: string }>(
      "insert into public.audit_log (organisation_id, action, tx_id) select $1, 'late', (select tx_id from public.audit_log order by tx_id offset 10 limit 1) from generate_series(1, 2) returning id",
      [ids.organisationA],
    );
    await seal();
    expect(await treeSize()).toBe(before + unsealed.length + late.length);
    const { rows: found } = await database.superuser.query(
      "select entry_id from pgtrail.late_entry",
    );
    expect(found.map((row) => row.entry_id).sort()).toEqual(late.map((row) => row.id).sort());
    expect(await verify()).toEqual([]);

    await record(4);
    expect(await seal()).toBe(4);
    const { rows: eras } = await database.superuser.query(
      "select era, count(*)::int as n from public.audit_log where era > 0 group by era",
    );
    expect(eras).toEqual([{ era: 1, n: 4 }]);
    expect(await verify()).toEqual([]);
    const { rows: proof } = await database.superuser.query(
      "select leaf_index from pgtrail.inclusion_proof('public.audit_log', $1)",
      [late[0]?.id],
    );
    expect(proof).toHaveLength(1);
  });
});

describe("after a point-in-time recovery", () => {
  test("published checkpoints do not fit, health() is critical, and the log goes on under a new origin", async () => {
    const { rows } = await database.superuser.query<{ origin: string; tree_size: string }>(
      "select origin, tree_size from pgtrail.log",
    );
    const head = rows[0] as { origin: string; tree_size: string };
    // A checkpoint from before the recovery is larger than what came back.
    await database.superuser.query(
      `insert into pgtrail.published_checkpoint (log_id, origin, tree_size, root, note)
       select 1, origin, tree_size, root, format(E'%s\\n%s\\n%s\\n\\n— x eA==\\n', origin, tree_size, encode(root, 'base64'))
       from (values ($1, $2::bigint, sha256('lost'))) as lost (origin, tree_size, root)`,
      [head.origin, Number(head.tree_size) + 10],
    );
    const health = () =>
      database.superuser.query(
        "select status from pgtrail.health() where check_name = 'published checkpoint'",
      );
    expect((await health()).rows).toEqual([{ status: "critical" }]);
    expect(await verify()).toMatchObject([{ defect: "published checkpoint does not fit" }]);

    const next = await database.superuser.query(
      "select pgtrail.start_new_origin('recovery to yesterday') as origin",
    );
    expect(next.rows).toEqual([{ origin: `${head.origin}/2` }]);
    expect((await health()).rows).toEqual([{ status: "warning" }]);
    expect(await verify()).toEqual([]);
    const checkpoint = await database.superuser.query("select pgtrail.checkpoint() as body");
    expect(checkpoint.rows[0].body).toMatch(new RegExp(`^${head.origin}/2\n`));
    expect(
      await sqlstate(
        database.superuser.query("select pgtrail.start_new_origin('again', $1)", [head.origin]),
      ),
    ).toBe("23505");
  });
});

describe("one transaction of 120,000 entries", () => {
  // Of its own, since verify() reads all that a log has.
  const own = useDatabase(cluster);

  test("is sealed in several batches", async () => {
    await own.superuser.query(
      "insert into public.audit_log (organisation_id, action) select $1, 'bulk' from generate_series(1, 120000)",
      [ids.organisationA],
    );
    const sealed: number[] = [];
    for (let call = 0; call < 3; call++) sealed.push(await seal(50_000, own.superuser));
    expect(sealed).toEqual([50_000, 50_000, 20_000]);
    const { rows } = await own.superuser.query(
      `select tree_size::int, (select count(*)::int from public.audit_log) as entries,
         (select max(entries) from pgtrail.batch) as largest
       from pgtrail.log`,
    );
    expect(rows).toEqual([{ tree_size: 120_000, entries: 120_000, largest: 10_000 }]);
    expect(await verify(own.superuser)).toEqual([]);
  });
});
