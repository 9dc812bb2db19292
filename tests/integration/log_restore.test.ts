import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { BIN_DIRECTORY } from "../../scripts/lib/dump.js";
import { migrate } from "../../src/database/migrate.js";
import { ids, sqlstate, useCluster } from "../harness/index.js";
import { checkpoint, consistencyProof, type LogHead, seal, verify } from "../harness/log.js";
import { leafHash, provesConsistency, provesInclusion } from "../harness/merkle.js";
import { createDatabase, databaseUrl } from "../harness/template.js";

// Debian's has pg_dump; the packages that the suite runs on have the server only.
const available = existsSync(join(BIN_DIRECTORY, "pg_dump"));
const name = "pgtrail_restore";

interface Proof {
  leaf_index: string;
  proof_tree_size: string;
  hashes: Buffer[];
  entry: Buffer;
}

describe.runIf(available)(
  `dump and restore into a new cluster of another version${available ? "" : ` (not run: ${BIN_DIRECTORY} has no pg_dump)`}`,
  () => {
    const source = useCluster({ fsync: "off" }, "debian");
    const target = useCluster({ fsync: "off" }, "18");
    let before: pg.Pool;
    let after: pg.Pool;

    /** The last checkpoint that was published before the dump, and a proof over it. */
    let published: LogHead;
    let provedId: string;
    let proof: Proof;
    /** Entries by when they were written. */
    const written = {
      sealed: [] as string[],
      unsealed: [] as string[],
      unnoticed: [] as string[],
      afterwards: [] as string[],
    };

    /** Records entries with values whose rendering could differ between versions. */
    async function record(pool: pg.Pool, entries: number): Promise<string[]> {
      const { rows } = await pool.query<{ id: string }>(
        `insert into public.audit_log (organisation_id, actor_id, actor_kind, action, details, ip_address, user_agent)
         select $1, 'Zoë \\ "O''Neil"', 'user', 'test',
             jsonb_build_object('n', n, 'float', n / 7.0::float8, 'text', E'tab\\t é \\u2028 🙂', 'big', 1e20, 'null', null),
             ('192.0.2.' || n % 256 || '/24')::inet, 'agent'
         from generate_series(1, $2::int) as n
         returning id`,
        [ids.organisationA, entries],
      );
      await pool.query(
        `insert into public.visit_log (org_id, numbers, amount, share, at, day, raw, wait, guest)
         values ($1, '{1,null,3}', 1.50, 0.1::float4, '2026-03-29 01:30:00.123456+00', '2026-03-29', '\\xdead', '1 day 2 hours', 'Zoë')`,
        [ids.organisationA],
      );
      return rows.map(({ id }) => id);
    }

    async function prove(pool: pg.Pool, id: string, size?: number): Promise<Proof> {
      const { rows } = await pool.query<Proof>(
        "select * from pgtrail.inclusion_proof('public.audit_log', $1, $2)",
        [id, size],
      );
      return rows[0] as Proof;
    }

    const proves = ({ leaf_index, proof_tree_size, hashes, entry }: Proof, head: LogHead) =>
      Number(proof_tree_size) === head.size &&
      provesInclusion(Number(leaf_index), head.size, leafHash(entry), hashes, head.root);

    async function treeSize(): Promise<number> {
      return (await checkpoint(after)).size;
    }

    beforeAll(async () => {
      await createDatabase(source.cluster.url(), name);
      await migrate({ databaseUrl: databaseUrl(source.cluster.url(), name, "migrator") });
      before = new pg.Pool({ connectionString: databaseUrl(source.cluster.url(), name) });
      await before.query(`
        set role pgtrail_owner;
        create table public.visit_log (
          id uuid primary key default pgtrail.uuid7(),
          visited_at timestamptz generated always as (pgtrail.uuid7_time(id)) stored,
          org_id uuid, numbers int[], amount numeric, share float4, at timestamptz, day date, raw bytea, wait interval,
          guest text,
          recorded_at timestamptz not null default clock_timestamp(),
          era smallint not null default 0,
          tx_id xid8 not null default pg_current_xact_id(),
          erasure_salt uuid default gen_random_uuid()
        ) partition by range (id);
        select pgtrail.create_trail('public.visit_log', 'org_id', erasable => '{guest}');
        reset role`);

      // The old cluster has lived longer than the new one will for a while: an id for each subtransaction.
      written.sealed.push(...(await record(before, 150)));
      await before.query(`
        create temporary table busy (n int);
        do $$ begin
          for i in 1 .. 5000 loop
            begin insert into busy values (i); exception when division_by_zero then null; end;
          end loop;
        end $$`);
      written.sealed.push(...(await record(before, 150)));
      await seal(before, 100);
      await seal(before);
      published = await checkpoint(before);
      provedId = written.sealed[7] as string;
      proof = await prove(before, provedId);
      written.unsealed.push(...(await record(before, 20)));

      const file = join(source.cluster.directory, "dump.sql");
      const run = promisify(execFile);
      await run(join(BIN_DIRECTORY, "pg_dump"), [
        "--file",
        file,
        databaseUrl(source.cluster.url(), name),
      ]);
      // Roles come first, as the documentation says: here with a database that is migrated.
      await target.template();
      await createDatabase(target.cluster.url(), name, "template0");
      const url = databaseUrl(target.cluster.url(), name);
      const strict = ["--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1", "--single-transaction"];
      await run(join(BIN_DIRECTORY, "psql"), [...strict, "--file", file, url]);
      await rm(file);
      after = new pg.Pool({ connectionString: url });
    });

    afterAll(async () => {
      await before?.end();
      await after?.end();
    });

    test("is what the name says: another version, another identifier, lower transaction ids", async () => {
      const identity = `
        select current_setting('server_version_num')::int / 10000 as version, system_identifier,
            pg_current_xact_id()::text::int as next
        from pg_control_system()`;
      const old = (await before.query(identity)).rows[0];
      const present = (await after.query(identity)).rows[0];
      expect(old.version).toBe(15);
      expect(present.version).not.toBe(15);
      expect(present.system_identifier).not.toBe(old.system_identifier);
      expect(present.next).toBeLessThan(old.next - 2000);
    });

    test("the log is intact before anything else happens", async () => {
      expect(await verify(after)).toEqual([]);
      expect(await checkpoint(after)).toEqual(published);
      expect(await prove(after, provedId)).toEqual(proof);
    });

    test("an open transaction delays the new era by five seconds at most", async () => {
      const writer = await after.connect();
      try {
        await writer.query("begin");
        const { rows } = await writer.query<{ id: string }>(
          "insert into public.audit_log (organisation_id, action) values ($1, 'open') returning id",
          [ids.organisationA],
        );
        expect(await sqlstate(after.query("select pgtrail.seal()"))).toBe("55P03");
        expect((await checkpoint(after)).size).toBe(published.size);
        await writer.query("commit");
        written.unnoticed.push(rows[0]?.id as string);
      } finally {
        writer.release();
      }
    });

    test("what was not sealed, and what was written before the restore is noticed, is sealed", async () => {
      written.unnoticed.push(...(await record(after, 10)));
      // 20 and 10, each with an entry of visit_log, and the one of the open transaction.
      expect(await seal(after)).toBe(33);
      expect(await treeSize()).toBe(published.size + 33);
      expect(await verify(after)).toEqual([]);
      const { rows } = await after.query("select count(*)::int as late from pgtrail.late_entry");
      expect(rows).toEqual([{ late: 12 }]);
    });

    test("new entries are sealed in a new era", async () => {
      const size = await treeSize();
      written.afterwards.push(...(await record(after, 30)));
      expect(await seal(after)).toBe(31);
      expect(await treeSize()).toBe(size + 31);
      const { rows } = await after.query(
        "select era, count(*)::int as entries from public.audit_log group by era order by era",
      );
      expect(rows).toEqual([
        { era: 0, entries: 331 },
        { era: 1, entries: 30 },
      ]);
      expect(await verify(after)).toEqual([]);
    });

    test("a trail that is made now is sealed, too", async () => {
      await after.query(`
        set role pgtrail_owner;
        create table public.door_log (
          id uuid primary key default pgtrail.uuid7(),
          opened_at timestamptz generated always as (pgtrail.uuid7_time(id)) stored,
          org_id uuid,
          recorded_at timestamptz not null default clock_timestamp(),
          era smallint not null default 0,
          tx_id xid8 not null default pg_current_xact_id()
        ) partition by range (id);
        select pgtrail.create_trail('public.door_log', 'org_id');
        reset role`);
      await after.query("insert into public.door_log (org_id) values ($1)", [ids.organisationA]);
      expect(await seal(after)).toBe(1);
      expect(await verify(after)).toEqual([]);
    });

    test("the tree is the old one and more: old checkpoints and proofs hold", async () => {
      const head = await checkpoint(after);
      const hashes = await consistencyProof(after, published.size, head.size);
      expect(provesConsistency(published.size, published.root, head.size, head.root, hashes)).toBe(
        true,
      );
      expect(proves(proof, published)).toBe(true);
      expect(await prove(after, provedId, published.size)).toEqual(proof);
    });

    test("every entry of before and after has a proof over the new checkpoint", async () => {
      const head = await checkpoint(after);
      for (const list of Object.values(written)) {
        expect(list.length).toBeGreaterThan(0);
        for (const id of list) expect(proves(await prove(after, id), head)).toBe(true);
      }
    });
  },
);
