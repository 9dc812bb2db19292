import { beforeAll, expect, test } from "vitest";
import { useCluster, useDatabase } from "../harness/index.js";
import { seal, verify } from "../harness/log.js";

const cluster = useCluster({ fsync: "off" });
const database = useDatabase(cluster);

// IS NOT NULL is false of such a value, though something is there.
const value = "('Ida', null)::public.person";

beforeAll(async () => {
  await database.superuser.query(`
    create type public.person as (name text, born date);
    create table public.door_log (
      id uuid primary key default pgtrail.uuid7(),
      opened_at timestamptz generated always as (pgtrail.uuid7_time(id)) stored,
      org_id uuid, visitor public.person, guard public.person,
      recorded_at timestamptz not null default clock_timestamp(),
      era smallint not null default 0,
      tx_id xid8 not null default pg_current_xact_id(),
      erasure_salt uuid default gen_random_uuid()
    ) partition by range (id);
    select pgtrail.create_trail('public.door_log', 'org_id', erasable => '{visitor}', digested => '{guard}');
    insert into public.door_log (visitor, guard) values (${value}, ${value})`);
  await seal(database.superuser);
});

test("a row value with a null in it is in the entry, and an archive opens it", async () => {
  expect(await verify(database.superuser)).toEqual([]);
  const { rows } = await database.superuser.query(`
    select convert_from(entry, 'UTF8')::jsonb as entry, entry_row as row
    from pgtrail.archive_entries('public.door_log', date_trunc('month', now() at time zone 'UTC')::date)`);
  const hex = expect.stringMatching(/^[0-9a-f]{64}$/);
  expect(rows[0].entry.slice(3, 5)).toEqual([hex, hex]);
  expect(rows[0].row.visitor).toEqual({ value: "(Ida,)", salt: hex });
  expect(rows[0].row.guard).toEqual({ value: "(Ida,)", salt: "" });
});

test.each(["visitor", "guard"])("a change of it in %s is found", async (column) => {
  const change = (to: string) =>
    database.superuser.query(
      `alter table public.door_log disable trigger all; update public.door_log set ${column} = ${to}`,
    );
  await change("('Mia', null)::public.person");
  expect(await verify(database.superuser)).toMatchObject([{ defect: "altered" }]);
  await change(value);
  expect(await verify(database.superuser)).toEqual([]);
});
