import type pg from "pg";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { sqlstate, useDatabase, withClient } from "../harness/index.js";

const database = useDatabase(undefined, { profiled: false });

let tables = 0;
let name: string;

beforeEach(async () => {
  name = `public.watched_${tables++}`;
  await database.migrator.query(`create table ${name} (id int primary key, n int, org uuid)`);
  await track();
});

afterEach(async () => {
  await database.superuser.query("drop event trigger if exists pgtrail_refresh_tracking");
  // Whatever a test left of it.
  const { rows } = await database.migrator.query<{ relation: string }>(
    "select relation::oid::text as relation from pgtrail.tracked_table",
  );
  for (const { relation } of rows) await untrack(relation);
});

function track(options = ""): Promise<unknown> {
  return database.migrator.query(`select pgtrail.track($1::regclass${options})`, [name]);
}

function untrack(relation: string): Promise<unknown> {
  return database.migrator.query("select pgtrail.untrack($1::regclass)", [relation]);
}

async function refresh(): Promise<number> {
  const { rows } = await database.migrator.query("select pgtrail.refresh_tracking() as refreshed");
  return rows[0].refreshed;
}

async function health(): Promise<{ status: string; detail: string }> {
  const { rows } = await database.as("auditor", (client) =>
    client.query("select status, detail from pgtrail.health() where check_name = 'tracked tables'"),
  );
  return rows[0];
}

async function entries(): Promise<{ action: string; changes: unknown }[]> {
  const { rows } = await database.superuser.query(
    "select action, changes from public.audit_log where entity_type = $1 order by id",
    [name],
  );
  return rows;
}

const altered = {
  status: "critical",
  detail: expect.stringContaining("call pgtrail.refresh_tracking()"),
};
const unwatched = {
  status: "critical",
  detail: expect.stringContaining("call pgtrail.track or pgtrail.untrack"),
};
const ok = { status: "ok" };

describe("health() 'tracked tables'", () => {
  test.each([
    "alter table NAME add column more text",
    "alter table NAME drop column n",
    "alter table NAME rename column n to m",
    "alter table NAME alter column n type bigint",
    "alter table NAME drop constraint KEY",
    "alter table NAME rename to renamed",
  ])("%s: critical, ok after refresh_tracking()", async (statement) => {
    expect(await health()).toMatchObject(ok);
    const key = `${name.split(".")[1]}_pkey`;
    await database.migrator.query(statement.replace("NAME", name).replace("KEY", key));
    expect(await health()).toMatchObject(altered);
    expect(await refresh()).toBe(1);
    expect(await health()).toMatchObject(ok);
    expect(await refresh()).toBe(0);
    if (statement.includes("rename to")) await database.migrator.query("drop table renamed");
  });

  test.each([
    "alter table NAME disable trigger pgtrail_capture_insert",
    "alter table NAME disable trigger user",
    "alter table NAME enable replica trigger pgtrail_capture_update",
    "drop trigger pgtrail_capture_insert on NAME",
    "drop trigger pgtrail_capture_update on NAME",
    "drop trigger pgtrail_capture_truncate on NAME",
  ])("%s: critical, ok after track()", async (statement) => {
    await database.migrator.query(statement.replace("NAME", name));
    expect(await health()).toMatchObject(unwatched);
    expect(await refresh(), "that is no help").toBe(0);
    expect(await health()).toMatchObject(unwatched);
    await track();
    expect(await health()).toMatchObject(ok);
    await database.migrator.query(`insert into ${name} values (1, 1)`);
    await database.migrator.query(`update ${name} set n = 2`);
    await database.migrator.query(`truncate ${name}`);
    expect((await entries()).map(({ action }) => action.split(".")[1])).toEqual([
      "inserted",
      "updated",
      "truncated",
    ]);
  });

  test("a trigger that is disabled: ok after untrack()", async () => {
    await database.migrator.query(`alter table ${name} disable trigger pgtrail_capture_insert`);
    expect(await health()).toMatchObject(unwatched);
    await untrack(name);
    expect(await health()).toMatchObject({ status: "ok", detail: "0" });
  });

  test("triggers that are always enabled are no matter", async () => {
    await database.migrator.query(
      `alter table ${name} enable always trigger pgtrail_capture_insert`,
    );
    expect(await health()).toMatchObject(ok);
  });

  test("a table that is dropped: ok after untrack() of its number", async () => {
    const { rows } = await database.migrator.query("select $1::regclass::oid as oid", [name]);
    await database.migrator.query(`drop table ${name}`);
    expect(await health()).toMatchObject(unwatched);
    expect(await refresh(), "that is no help").toBe(0);
    await untrack(String(rows[0].oid));
    expect(await health()).toMatchObject({ status: "ok", detail: "0" });
  });

  test("a table that is dropped and made again: ok after track()", async () => {
    await database.migrator.query(`drop table ${name}`);
    await database.migrator.query(`create table ${name} (id text primary key)`);
    expect(await health()).toMatchObject(unwatched);
    await track();
    expect(await health()).toMatchObject({ status: "ok", detail: "1" });
    await database.migrator.query(`insert into ${name} values ('a')`);
    expect(await entries()).toEqual([
      { action: expect.stringMatching(/inserted$/), changes: { id: { new: "a" } } },
    ]);
  });
});

describe("watch_tracked_tables()", () => {
  const watch = (who: pg.Pool = database.superuser) =>
    who.query("select pgtrail.watch_tracked_tables()");
  const unwatch = (who: pg.Pool = database.superuser) =>
    who.query("select pgtrail.unwatch_tracked_tables()");

  /** Whether there is the event trigger, and its state. */
  async function eventTriggers(): Promise<unknown[]> {
    const { rows } = await database.superuser.query(
      "select evtenabled as enabled from pg_event_trigger where evtname = 'pgtrail_refresh_tracking'",
    );
    return rows.map(({ enabled }) => enabled);
  }

  test.each([
    ["add column more text default 'x'", { id: { new: 1 }, more: { new: "x" } }],
    ["drop column n, add column m int default 3", { id: { new: 1 }, m: { new: 3 } }],
    ["rename column id to number", { number: { new: 1 } }],
    ["alter column id type text", { id: { new: "1" } }],
  ])("%s: refreshed at once, whoever alters", async (change, changes) => {
    await watch();
    await database.migrator.query(`alter table ${name} ${change}`);
    expect(await health()).toMatchObject(ok);
    expect(await refresh(), "nothing is left to do").toBe(0);
    const key = change.startsWith("rename") ? "number" : "id";
    await database.migrator.query(`insert into ${name} (${key}) values (1)`);
    expect((await entries()).at(-1)?.changes).toEqual(changes);
  });

  test("a table that is renamed, or moved to another schema", async () => {
    await watch();
    await database.migrator.query("create schema if not exists elsewhere");
    await database.migrator.query(`alter table ${name} rename to renamed`);
    await database.migrator.query("alter table public.renamed set schema elsewhere");
    expect(await health()).toMatchObject(ok);
    await database.migrator.query("drop table elsewhere.renamed");
  });

  test("goes back with an ALTER TABLE that is rolled back", async () => {
    await watch();
    await withClient(database.url("migrator"), async (client) => {
      await client.query("begin");
      await client.query(`alter table ${name} add column more text`);
      await client.query("rollback");
    });
    expect(await health()).toMatchObject(ok);
    await database.migrator.query(`insert into ${name} values (1, 1)`);
    expect((await entries()).at(-1)?.changes).toEqual({ id: { new: 1 }, n: { new: 1 } });
  });

  test("other tables are altered by roles that know nothing of pgtrail", async () => {
    await watch();
    await database.as("service", async (client) => {
      await client.query("create temp table mine (id int)");
      await client.query("alter table mine add column n int");
    });
    await database.migrator.query(`
      create table public.untracked (id int);
      alter table public.untracked add column n int;
      drop table public.untracked`);
    expect(await health()).toMatchObject(ok);
  });

  test("an ALTER TABLE happens when refreshing fails, with a WARNING", async () => {
    await watch();
    await database.superuser.query(
      "alter table pgtrail.tracked_table add constraint nothing_is_true check (false) not valid",
    );
    try {
      const notices: { code?: string | undefined; severity?: string | undefined }[] = [];
      await withClient(database.url("migrator"), async (client) => {
        client.on("notice", (notice) => notices.push(notice));
        await client.query(`alter table ${name} add column more text`);
      });
      expect(notices).toMatchObject([
        {
          severity: "WARNING",
          code: "23514",
          message: "tracking could not be refreshed",
          hint: expect.stringContaining("pgtrail.refresh_tracking()"),
        },
      ]);
      expect(await health()).toMatchObject(altered);
      await database.migrator.query(`insert into ${name} (id, more) values (1, 'a')`);
      expect((await entries()).at(-1)?.changes).toEqual({ id: { new: 1 }, more: { new: "a" } });
    } finally {
      await database.superuser.query(
        "alter table pgtrail.tracked_table drop constraint nothing_is_true",
      );
    }
    expect(await refresh()).toBe(1);
  });

  test("called again, it is there once, and enabled", async () => {
    await watch();
    await database.superuser.query("alter event trigger pgtrail_refresh_tracking disable");
    expect(await eventTriggers()).toEqual(["D"]);
    await watch();
    expect(await eventTriggers()).toEqual(["O"]);
  });

  test("until unwatch_tracked_tables(), which may be called again", async () => {
    await watch();
    await unwatch();
    await unwatch();
    expect(await eventTriggers()).toEqual([]);
    await database.migrator.query(`alter table ${name} add column more text`);
    expect(await health()).toMatchObject(altered);
    await refresh();
  });

  test("is refused to a role that may not create an event trigger", async () => {
    const { rows } = await database.migrator.query(
      "select rolsuper from pg_roles where rolname = current_user",
    );
    expect(rows).toEqual([{ rolsuper: false }]);
    const refused = {
      code: "42501",
      message: "migrator may not create or replace event trigger pgtrail_refresh_tracking",
      hint: expect.stringContaining("pgtrail.health()"),
    };
    await expect(watch(database.migrator)).rejects.toMatchObject(refused);
    expect(await eventTriggers()).toEqual([]);
    // Nor may it replace or drop that of another.
    await watch();
    await expect(watch(database.migrator)).rejects.toMatchObject(refused);
    expect(await sqlstate(unwatch(database.migrator))).toBe("42501");
    expect(await eventTriggers()).toEqual(["O"]);
  });

  test("and to every role of the API", async () => {
    for (const persona of ["anon", "coordinatorA", "service", "auditor"] as const) {
      for (const call of [
        "watch_tracked_tables",
        "unwatch_tracked_tables",
        "tg__refresh_tracking",
      ]) {
        const query = database.as(persona, (client) => client.query(`select pgtrail.${call}()`));
        expect(await sqlstate(query)).toBe("42501");
      }
    }
  });
});
