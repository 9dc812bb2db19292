import { Command } from "commander";
import type pg from "pg";
import { describe, expect, test, vi } from "vitest";
import { doctorCommand, render } from "../../src/commands/doctor.js";
import { factKey, readCatalog } from "../../src/doctor/catalog.js";
import { compareCatalogs, readRecordedCatalog, wantedFacts } from "../../src/doctor/drift.js";
import { examine } from "../../src/doctor/examine.js";
import { useDatabase } from "../harness/index.js";

const database = useDatabase();

async function inTransaction<T>(work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  const client = await database.superuser.connect();
  try {
    await client.query("begin");
    return await work(client);
  } finally {
    await client.query("rollback");
    client.release();
  }
}

test("catalog.json holds the facts of a migrated database, on every version of Postgres", async () => {
  const found = await inTransaction(readCatalog);
  const wanted = wantedFacts(await readRecordedCatalog(), found);
  expect(wanted.length).toBeGreaterThan(100);
  expect(compareCatalogs(wanted, found)).toEqual([]);
  expect(new Set(found.map(factKey)).size).toBe(found.length);
});

test("a healthy database has no findings, whatever the search path is, which stays", async () => {
  expect(await inTransaction(examine)).toEqual([]);
  await inTransaction(async (client) => {
    await client.query("set local search_path = pgtrail, extensions");
    expect(await examine(client)).toEqual([]);
    const { rows } = await client.query("show search_path");
    expect(rows).toEqual([{ search_path: "pgtrail, extensions" }]);
  });
});

const month = new Date().toISOString().slice(0, 7).replace("-", "_");
const partition = `pgtrail_partitions.audit_log_${month}`;

/** A fault, the check that finds it, what it says, and whether the printed statement mends it. */
const faults: Array<{
  fault: string;
  check: string;
  message: RegExp;
  mends?: false;
  level?: "warning";
}> = [
  {
    fault: "alter table public.audit_log disable trigger refuse_change_of_statement",
    check: "guards",
    message:
      /public\.audit_log|audit_log: trigger refuse_change_of_statement is not enabled always/,
  },
  {
    fault: `alter table ${partition} enable trigger refuse_change_of_statement`,
    check: "guards",
    message: /is not enabled always/,
  },
  {
    fault: `alter table ${partition} disable trigger all`,
    check: "guards",
    message: /is not enabled always/,
  },
  {
    fault: `drop trigger refuse_change_of_statement on ${partition}`,
    check: "guards",
    message: /is missing/,
  },
  {
    fault: "drop trigger refuse_change_of_row on public.audit_log",
    check: "guards",
    message: /is missing/,
  },
  {
    fault: `create function public.lenient() returns trigger language plpgsql as 'begin return null; end';
      create or replace trigger refuse_change_of_statement before update or delete or truncate on public.audit_log
      for each statement execute function public.lenient()`,
    check: "guards",
    message: /calls another function/,
  },
  {
    fault: "alter table public.audit_log disable row level security",
    check: "row security",
    message: /is off/,
  },
  {
    fault: `alter table ${partition} disable row level security`,
    check: "row security",
    message: /is off/,
  },
  {
    fault: `create policy leak on ${partition} for select to authenticated using (true)`,
    check: "row security",
    message: /lets somebody read/,
  },
  { fault: `drop table ${partition}`, check: "partitions", message: /no partition for/ },
  {
    fault: "create table pgtrail_partitions.rest partition of public.audit_log default",
    check: "partitions",
    message: /default partition/,
    mends: false,
  },
  {
    fault: `grant select on ${partition} to authenticated`,
    check: "privileges",
    message: /authenticated has select/,
  },
  {
    fault: "grant update on public.audit_log to service_role",
    check: "privileges",
    message: /service_role has update|does not belong/,
  },
  {
    fault: "grant execute on function public.get_audit_log to anon",
    check: "privileges",
    message: /to anon does not belong/,
  },
  {
    fault: "grant insert (recorded_at) on public.audit_log to service_role",
    check: "privileges",
    message: /insert \(recorded_at\) on table public\.audit_log to service_role does not belong/,
  },
  {
    fault: "grant usage on schema pgtrail_partitions to authenticated",
    check: "privileges",
    message: /usage on schema pgtrail_partitions to authenticated does not belong/,
  },
  {
    fault: "revoke select on public.audit_log from authenticated",
    check: "privileges",
    message: /is missing/,
  },
  {
    fault: "alter table public.audit_log owner to postgres",
    check: "privileges",
    message: /pgtrail_owner does not own it/,
    mends: false,
  },
  {
    fault: "alter type pgtrail.error_context add value 'passwords'",
    check: "schema drift",
    message: /label pgtrail\.error_context\.passwords does not belong/,
    level: "warning",
    mends: false,
  },
  {
    fault: "drop policy select_member on public.audit_log",
    check: "schema drift",
    message: /policy public\.audit_log\.select_member is missing/,
  },
  {
    fault: "alter policy select_member on public.audit_log using (true)",
    check: "schema drift",
    message: /was altered/,
  },
  {
    fault: "create policy extra on public.audit_log for select to anon using (true)",
    check: "schema drift",
    message: /does not belong/,
  },
  {
    fault:
      "create or replace function pgtrail.may_read(organisation_id uuid) returns boolean language sql stable set search_path = pg_catalog, pg_temp as 'select true'",
    check: "schema drift",
    message: /may_read\(uuid\) was altered/,
  },
  {
    fault: "drop function pgtrail.uuid7_floor(timestamptz)",
    check: "schema drift",
    message: /is missing/,
  },
  {
    fault: `do $$ begin execute (select replace(pg_get_functiondef(oid), 'begin', 'begin ')
      from pg_proc where proname = 'tg_' || left(md5('public.organisations'), 12) || '__capture'); end $$`,
    check: "schema drift",
    message: /function pgtrail\.tg_\w+__capture\(\) was altered/,
  },
  {
    fault: `do $$ begin execute format('drop function pgtrail.tg_%s__capture() cascade', left(md5('public.organisations'), 12)); end $$`,
    check: "schema drift",
    message: /function pgtrail\.tg_\w+__capture\(\) is missing/,
  },
  {
    fault: "alter table public.audit_log drop constraint entity_id_has_a_type",
    check: "schema drift",
    message: /is missing/,
  },
  {
    fault: "alter table public.audit_log alter column actor_kind drop default",
    check: "schema drift",
    message: /default public\.audit_log\.actor_kind is missing/,
  },
  {
    fault: "alter table public.audit_log alter column database_role drop not null",
    check: "schema drift",
    message: /not null .* is missing/,
  },
  {
    fault: "drop index public.audit_log_organisation_id_id_idx",
    check: "schema drift",
    message: /index .* is missing/,
  },
  {
    fault: "create index spare on public.audit_log (request_id)",
    check: "schema drift",
    message: /spare does not belong/,
    level: "warning",
  },
  {
    fault:
      "create function tests.tg() returns trigger language plpgsql as 'begin return null; end'; create trigger swallow before insert on public.audit_log for each row execute function tests.tg()",
    check: "schema drift",
    message: /swallow does not belong/,
  },
  {
    fault: "alter table public.organisation_members force row level security",
    check: "membership",
    message: /row level security hides the rows/,
    mends: false,
  },
  { fault: "alter role pgtrail_owner login", check: "roles", message: /may log in/ },
  {
    fault: "grant pgtrail_owner to service_role",
    check: "roles",
    message: /service_role may act as pgtrail_owner/,
  },
  {
    fault:
      "create or replace view pgtrail.membership as select null::text as user_id, null::uuid as organisation_id, null::text as role where false",
    check: "membership",
    message: /reads no table/,
    mends: false,
  },
  {
    fault:
      "create table public.staff (who text, org uuid, what text); alter table public.staff enable row level security; create or replace view pgtrail.membership as select who as user_id, org as organisation_id, what as role from public.staff",
    check: "membership",
    message: /may not select from|row level security hides/,
  },
];

describe.each(faults)("$fault", ({ fault, check, message, mends, level = "error" }) => {
  test(`is found by "${check}"${mends === false ? "" : " and mended by the statement it prints"}`, async () => {
    await inTransaction(async (client) => {
      await client.query(fault);
      const findings = await examine(client);
      const found = findings.filter((finding) => finding.check === check);
      expect(found.map((finding) => finding.message).join("\n")).toMatch(message);
      expect(found.some((finding) => finding.level === level)).toBe(true);
      if (mends === false) return;

      for (const finding of findings) {
        expect(finding.fix, finding.message).not.toBeNull();
        await client.query("savepoint fix");
        await client.query(
          ["roles", "membership"].includes(finding.check)
            ? "reset role"
            : "set local role pgtrail_owner",
        );
        await client.query(finding.fix as string).catch(async (error) => {
          // Two findings may have one cause: what the first statement mended, the second need not.
          if (!/already exists|does not exist/.test(error.message)) throw error;
          await client.query("rollback to savepoint fix");
        });
      }
      await client.query("reset role");
      expect(await examine(client)).toEqual([]);
    });
  });
});

test("a trail of a team's own is no drift, and is examined like ours", async () => {
  await inTransaction(async (client) => {
    await client.query(`
      create table public.door_log (
        id uuid primary key default pgtrail.uuid7(),
        opened_at timestamptz generated always as (pgtrail.uuid7_time(id)) stored,
        org_id uuid not null,
        recorded_at timestamptz not null default clock_timestamp(),
        era smallint not null default 0,
        tx_id xid8 not null default pg_current_xact_id()
      ) partition by range (id);
      select pgtrail.create_trail('public.door_log', 'org_id')`);
    expect(await examine(client)).toEqual([]);
    await client.query(
      "alter table public.door_log disable trigger all; grant delete on public.door_log to anon",
    );
    const findings = await examine(client);
    expect(new Set(findings.map((finding) => finding.check))).toEqual(
      new Set(["guards", "privileges"]),
    );
    expect(findings.every((finding) => finding.message.includes("door_log"))).toBe(true);
  });
});

test("the layers that nobody installed are not missed, one of which something is left is", () => {
  const recorded = {
    core: { function: { "pgtrail.f()": "1" } },
    sync: { table: { "public.t": "2" }, function: { "public.g()": "3" } },
  };
  const fact = (kind: string, name: string) => ({ kind, name, definition: "", remove: "" });
  const names = (...found: ReturnType<typeof fact>[]) =>
    wantedFacts(recorded, found).map(({ name }) => name);
  expect(names(fact("function", "pgtrail.f()"))).toEqual(["pgtrail.f()"]);
  expect(names(fact("function", "pgtrail.f()"), fact("function", "public.g()"))).toEqual([
    "pgtrail.f()",
    "public.t",
    "public.g()",
  ]);
});

test("the era that a restore begins is no drift", async () => {
  await inTransaction(async (client) => {
    await client.query("alter table public.audit_log alter column era set default 7");
    expect(await examine(client)).toEqual([]);
  });
});

test("a database without pgtrail is told how to get it", async () => {
  await inTransaction(async (client) => {
    await client.query("drop schema pgtrail cascade");
    expect(await examine(client)).toMatchObject([
      { level: "error", fix: expect.stringContaining("pgtrail migrate") },
    ]);
  });
});

describe("the command", () => {
  async function run(...options: string[]): Promise<{ output: string; exitCode: unknown }> {
    const write = vi.spyOn(process.stdout, "write").mockReturnValue(true);
    try {
      await new Command()
        .addCommand(doctorCommand())
        .parseAsync(["doctor", "--database-url", database.url("migrator"), ...options], {
          from: "user",
        });
      return {
        output: write.mock.calls.map(([text]) => text).join(""),
        exitCode: process.exitCode,
      };
    } finally {
      write.mockRestore();
      process.exitCode = undefined;
    }
  }

  test("says ok to every check of a healthy database, as the migrating role, and exits with 0", async () => {
    const { output, exitCode } = await run();
    expect(
      output
        .trim()
        .split("\n")
        .map((line) => line.split(/\s{2,}/).at(-1)),
    ).toEqual(Array(7).fill("ok"));
    expect(exitCode).toBe(0);
  });

  test("exits with 1 when something is wrong, and prints the same as JSON", async () => {
    await database.superuser.query("alter table public.audit_log disable row level security");
    try {
      expect(await run()).toMatchObject({
        output: expect.stringContaining(
          "fix: alter table public.audit_log enable row level security;",
        ),
        exitCode: 1,
      });
      const { output } = await run("--json");
      expect(JSON.parse(output)).toMatchObject([
        { level: "error" },
        { level: "error", check: "row security" },
      ]);
    } finally {
      await database.superuser.query("alter table public.audit_log enable row level security");
    }
  });

  test("tells a role that may not look which one may", async () => {
    await expect(run("--database-url", database.url("authenticator"))).rejects.toMatchObject({
      message: expect.stringContaining("this role may not look at pgtrail"),
      hint: expect.stringContaining("pgtrail_auditor"),
    });
  });

  test("shortens a function on the screen", () => {
    const text = render([{ check: "guards", level: "error", message: "m", fix: "create a\nb\nc" }]);
    expect(text).toContain("fix: create a ... (2 more lines, in full with --json)");
  });

  test("names the file that mends a function: the source with privileges and comment", async () => {
    await inTransaction(async (client) => {
      await client.query("drop function pgtrail.uuid7_floor(timestamptz)");
      const finding = (await examine(client)).find(({ file }) => file !== undefined);
      expect(finding?.file).toBe("sql/functions/core/ids/uuid7_floor.sql");
      expect(finding?.fix).toMatch(
        /^revoke all on function[\s\S]*^grant execute[\s\S]*^comment on/m,
      );
      expect(render(finding === undefined ? [] : [finding])).toMatch(
        /fix: create or replace function pgtrail\.uuid7_floor.* \.\.\. \(\d+ more lines, all in sql\/functions\/core\/ids\/uuid7_floor\.sql, in full with --json\)/,
      );
    });
  });
});
