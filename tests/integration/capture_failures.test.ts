import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { sqlstate, useCluster, useDatabase, withClient } from "../harness/index.js";
import { seal, verify } from "../harness/log.js";

// Sealing waits for every open transaction of a cluster.
const cluster = useCluster({ fsync: "off" });
const database = useDatabase(cluster, { profiled: false });

interface Notice {
  severity: string;
  code: string;
  message: string;
  detail: Record<string, unknown> & { entries: number; events: Entry[] };
  /** DETAIL as it came. */
  text: string;
  hint: string;
}

type Entry = Record<string, unknown> & { id: string; occurred_at: Date; recorded_at: Date };

const columns = "id int primary key, name text, doc jsonb";

beforeAll(async () => {
  await database.superuser.query("create role writer login nosuperuser");
  await database.migrator.query("create schema app; grant usage on schema app to public");
});

let tables = 0;
/** A new table, so that no test sees the entries of another. */
let name: string;

beforeEach(() => {
  name = `app.t${tables++}`;
});

async function table(onFailure: "block" | "warn", of = name): Promise<void> {
  await database.migrator.query(`
    create table ${of} (${columns});
    grant select, insert, update, delete, truncate on ${of} to public`);
  await database.migrator.query("select pgtrail.track($1::regclass, on_failure => $2)", [
    of,
    onFailure,
  ]);
}

/** Runs statements as the writer, on one connection. Returns what the server told besides. */
async function run(...statements: string[]): Promise<Notice[]> {
  const url = new URL(database.url());
  url.username = "writer";
  const notices: Notice[] = [];
  await withClient(url.toString(), async (client) => {
    client.on("notice", ({ severity = "", code = "", message = "", detail = "{}", hint = "" }) => {
      notices.push({ severity, code, message, detail: JSON.parse(detail), text: detail, hint });
    });
    for (const statement of statements) await client.query(statement);
  });
  return notices;
}

async function entries(of = name): Promise<Entry[]> {
  const { rows } = await database.superuser.query<Entry>(
    "select * from public.audit_log where entity_type = $1 order by id",
    [of],
  );
  return rows;
}

async function rowsOf(of = name): Promise<unknown[]> {
  return (await database.superuser.query(`select * from ${of} order by id`)).rows;
}

async function failedWrites(of = name) {
  const { rows } = await database.superuser.query(
    "select * from pgtrail.failed_write where entry ->> 'entity_type' = $1 order by failed_write_id",
    [of],
  );
  return rows;
}

async function replay(maxEntries = 1000): Promise<number> {
  const { rows } = await database.superuser.query<{ replayed: number }>(
    "select pgtrail.replay_failed_writes($1) as replayed",
    [maxEntries],
  );
  return rows[0]?.replayed ?? -1;
}

async function health(check: string): Promise<{ status: string; detail: string }> {
  const { rows } = await database.as("auditor", (client) =>
    client.query("select status, detail from pgtrail.health() where check_name = $1", [check]),
  );
  return rows[0];
}

/** Ways in which audit_log cannot take an entry, and how they are over. */
const causes = {
  "a disk that is full (simulated: a trigger raises 53100)": {
    code: "53100",
    message: "could not extend file: No space left on device (simulated)",
    begin: `
      create function app.full_disk() returns trigger language plpgsql as $$ begin
        raise exception 'could not extend file: No space left on device (simulated)' using errcode = '53100';
      end $$;
      create trigger full_disk before insert on public.audit_log
        for each row execute function app.full_disk()`,
    end: "drop trigger full_disk on public.audit_log; drop function app.full_disk()",
  },
  "a CHECK that the entry breaks": {
    code: "23514",
    message: expect.stringContaining("violates check constraint"),
    begin: "alter table public.audit_log add constraint nothing_is_true check (false) not valid",
    end: "alter table public.audit_log drop constraint nothing_is_true",
  },
  // This month's partition is dropped with all that earlier tests recorded: nothing of it is sealed yet.
  "a month without a partition": {
    code: "23514",
    message: 'no partition of relation "audit_log" found for row',
    begin: `
      do $$ begin
        execute format('drop table %s', (
          select part.partition from pgtrail._monthly_partitions('public.audit_log') as part
          where part.month = date_trunc('month', now(), 'UTC')));
      end $$`,
    end: "select pgtrail.ensure_partitions('public.audit_log', now(), now())",
  },
} as const;

/** What ends the cause that lasts. */
const repairs: string[] = [];

async function cause(which: keyof typeof causes): Promise<void> {
  await database.superuser.query(causes[which].begin);
  repairs.push(causes[which].end);
}

async function repair(): Promise<void> {
  for (const statement of repairs.splice(0)) await database.superuser.query(statement);
}

afterEach(repair);

const each = Object.keys(causes) as (keyof typeof causes)[];
const fullDisk = each[0] as keyof typeof causes;

describe("block: what cannot be recorded does not happen", () => {
  test.each(each)("for %s", async (which) => {
    await table("block");
    await run(`insert into ${name} values (1, 'a', null)`);
    await cause(which);
    for (const statement of [
      `insert into ${name} values (2, 'b', null)`,
      `update ${name} set name = 'c'`,
      `update ${name} set id = 3`,
      `delete from ${name}`,
      `truncate ${name}`,
    ]) {
      await expect(run(statement)).rejects.toMatchObject({
        code: causes[which].code,
        message: causes[which].message,
      });
    }
    // The transaction goes on from a savepoint, as after any other error.
    const statement = `insert into ${name} values (4, 'd', null)`;
    await withClient(database.url(), async (client) => {
      await client.query("begin; savepoint s");
      expect(await sqlstate(client.query(statement))).toBe(causes[which].code);
      await client.query("rollback to s");
      expect((await client.query(`select id from ${name}`)).rows).toEqual([{ id: 1 }]);
      await client.query("commit");
    });
    await repair();
    expect(await rowsOf()).toEqual([{ id: 1, name: "a", doc: null }]);
    expect(await failedWrites()).toEqual([]);
    await run(statement);
    expect((await entries()).at(-1)).toMatchObject({ entity_id: "4" });
  });
});

describe("warn: it happens, and is made up for", () => {
  const writes = (of: string) => [
    `insert into ${of} values (1, 'a', '{"x": null, "n": 1.10}'), (2, 'é"\\', 'null')`,
    `update ${of} set doc = 'null', name = null where id = 1`,
    `update ${of} set doc = null`,
    `update ${of} set id = 3 where id = 2`,
    `delete from ${of} where id = 1`,
    `truncate ${of}`,
  ];

  test.each(each)("for %s", async (which) => {
    await table("warn");
    const start = await now();
    await cause(which);
    const notices = await run(...writes(name));
    const end = await now();
    expect(await entries()).toEqual([]);

    const failed = await failedWrites();
    expect(failed.map(({ entry }) => entry.action.split(".")[1])).toEqual([
      ...["inserted", "inserted", "updated", "updated", "updated"],
      ...["rekeyed_from", "rekeyed_to", "deleted", "truncated"],
    ]);
    expect(failed[0]).toMatchObject({
      sqlstate: causes[which].code,
      message: causes[which].message,
      replayed_at: null,
    });
    // One a statement.
    expect(notices.map(({ detail }) => detail.entries)).toEqual([2, 1, 2, 2, 1, 1]);
    let told = 0;
    for (const notice of notices) {
      const kept = failed.slice(told, told + notice.detail.entries).map(({ entry }) => entry.id);
      told += kept.length;
      expect(notice).toMatchObject({
        severity: "WARNING",
        code: causes[which].code,
        message: `changes of ${name} could not be recorded`,
        detail: {
          type: "audit_write_failed",
          entityType: name,
          eventIds: kept,
          error: causes[which].message,
          code: causes[which].code,
        },
        hint: expect.stringContaining("pgtrail.replay_failed_writes()"),
      });
      expect(notice.detail).not.toHaveProperty("events");
    }
    expect(await health("failed writes")).toMatchObject({
      status: "critical",
      detail: expect.stringMatching(/^9 wait/),
    });

    expect(await replay(), "while the cause lasts").toBe(0);
    expect(await failedWrites()).toEqual(failed);
    await repair();
    expect(await replay(4), "at most so many").toBe(4);
    expect(await replay(), "the others").toBe(5);
    expect(await replay(), "once").toBe(0);
    expect(await health("failed writes")).toMatchObject({ status: "ok" });

    const made = await entries();
    expect(made.map(({ id }) => id)).toEqual(failed.map(({ entry }) => entry.id));
    for (const entry of made) {
      expect(entry.occurred_at >= start && entry.occurred_at <= end).toBe(true);
      expect(entry.recorded_at > end).toBe(true);
    }

    // What is captured of the same writes when nothing is wrong.
    const good = `${name}_good`;
    await table("warn", good);
    expect(await run(...writes(good))).toEqual([]);
    expect(await comparable(name)).toEqual(await comparable(good));
    expect(await comparable(name)).toContain("null");
  });

  test("the warning names the first ten of many", async () => {
    await table("warn");
    await cause(fullDisk);
    const [notice] = await run(
      `insert into ${name} select n, 'a' from generate_series(1, 12) as n`,
    );
    await repair();
    const kept = (await failedWrites()).map(({ entry }) => entry.id);
    expect(kept).toHaveLength(12);
    expect(notice?.detail).toMatchObject({ entries: 12, eventIds: kept.slice(0, 10) });
    expect(await replay()).toBe(12);
  });

  test("what fails again stays, and keeps nobody waiting", async () => {
    await table("warn");
    await cause(fullDisk);
    await run(
      `insert into ${name} values (1, 'a', null)`,
      `insert into ${name} values (2, 'b', null)`,
      `insert into ${name} values (3, 'c', null)`,
    );
    await repair();
    await database.superuser.query(`
      alter table public.audit_log add constraint not_this_one
        check (entity_type <> '${name}' or entity_id <> '1') not valid`);
    repairs.push("alter table public.audit_log drop constraint not_this_one");
    expect(await replay()).toBe(2);
    expect((await entries()).map(({ entity_id }) => entity_id)).toEqual(["2", "3"]);
    expect(await failedWrites()).toMatchObject([
      // Why it failed the last time.
      { replayed_at: null, sqlstate: "23514", message: expect.stringContaining("not_this_one") },
      { replayed_at: expect.any(Date), sqlstate: "53100" },
      { replayed_at: expect.any(Date), sqlstate: "53100" },
    ]);
    expect(await health("failed writes")).toMatchObject({ status: "critical" });
    await repair();
    expect(await replay()).toBe(1);
    // In the order of the changes, whenever they were recorded.
    expect((await entries()).map(({ entity_id }) => entity_id)).toEqual(["1", "2", "3"]);
    expect(await health("failed writes")).toMatchObject({ status: "ok" });
  });

  test("the bad ones do not use up the limit of a call", async () => {
    await table("warn");
    await cause(fullDisk);
    await run(
      `insert into ${name} values (1, 'a', null)`,
      `insert into ${name} values (2, 'b', null)`,
    );
    await repair();
    await database.superuser.query(`
      alter table public.audit_log add constraint not_this_one
        check (entity_type <> '${name}' or entity_id <> '1') not valid`);
    repairs.push("alter table public.audit_log drop constraint not_this_one");
    expect(await replay(1)).toBe(1);
    expect((await entries()).map(({ entity_id }) => entity_id)).toEqual(["2"]);
    await repair();
    expect(await replay()).toBe(1);
  });

  test("where failed_write cannot be written either, the WARNING has the entries", async () => {
    await table("warn");
    await cause(fullDisk);
    await database.superuser.query(`
      create trigger full_disk before insert on pgtrail.failed_write
        for each row execute function app.full_disk()`);
    repairs.unshift("drop trigger if exists full_disk on pgtrail.failed_write");
    const notices = await run(...writes(name));
    expect(await rowsOf()).toEqual([]);
    expect(await entries()).toEqual([]);
    expect(await failedWrites()).toEqual([]);
    expect(notices).toHaveLength(6);
    for (const { detail, hint } of notices) {
      expect(Object.keys(detail).sort()).toEqual(
        ["type", "entries", "eventIds", "entityType", "error", "code", "events"].sort(),
      );
      expect(detail.events.map(({ id }: Entry) => id)).toEqual(detail.eventIds);
      expect(hint).toMatch(/insert each of these events into pgtrail[.]failed_write as entry/);
    }

    await repair();
    for (const { text } of notices) {
      await database.superuser.query(
        `insert into pgtrail.failed_write (entry, sqlstate, message)
         select event, detail ->> 'code', detail ->> 'error'
         from (values ($1::jsonb)) as line (detail)
         cross join jsonb_array_elements(detail -> 'events') as event`,
        [text],
      );
    }
    expect(await replay()).toBe(9);
    const good = `${name}_good`;
    await table("warn", good);
    await run(...writes(good));
    expect(await comparable(name)).toEqual(await comparable(good));
  });

  test("a savepoint or transaction that is rolled back leaves nothing", async () => {
    await table("warn");
    await cause(fullDisk);
    await run("begin", `insert into ${name} values (1, 'a', null)`, "rollback");
    await run(
      "begin",
      `insert into ${name} values (2, 'b', null)`,
      "savepoint s",
      `insert into ${name} values (3, 'c', null)`,
      "rollback to s",
      `insert into ${name} values (4, 'd', null)`,
      "commit",
    );
    expect((await rowsOf()).length).toBe(2);
    expect((await failedWrites()).map(({ entry }) => entry.entity_id)).toEqual(["2", "4"]);
    await repair();
    expect(await replay()).toBe(2);
    expect((await entries()).map(({ entity_id }) => entity_id)).toEqual(["2", "4"]);
  });

  test("two calls at once record each once", async () => {
    await table("warn");
    await cause(fullDisk);
    await run(`insert into ${name} select n from generate_series(1, 100) as n`);
    await repair();
    await withClient(database.url(), async (first) => {
      await first.query("begin");
      const { rows } = await first.query("select pgtrail.replay_failed_writes(5) as replayed");
      expect(rows).toEqual([{ replayed: 5 }]);
      // Not held up by what the other has begun; it may leave the few that the other looked ahead to.
      const second = await replay();
      expect(second).toBeGreaterThan(0);
      await first.query("commit");
      expect(5 + second + (await replay())).toBe(100);
    });
    expect(await entries()).toHaveLength(100);
  });
});

// Last: from here on, no partition may be dropped.
test("entries that were made up for are sealed and verify", async () => {
  await table("warn");
  await run(`insert into ${name} values (1, 'a', '{"x": null}')`);
  await seal(database.superuser);
  await cause(fullDisk);
  await run(`update ${name} set doc = 'null', name = 'b'`, `delete from ${name}`);
  await repair();
  expect(await replay()).toBe(2);
  expect(await seal(database.superuser)).toBe(2);
  expect(await verify(database.superuser)).toEqual([]);
  const { rows } = await database.superuser.query(
    "select count(*)::int from pgtrail.unsealable_entry",
  );
  expect(rows).toEqual([{ count: 0 }]);
});

async function now(): Promise<Date> {
  const { rows } = await database.superuser.query<{ now: Date }>(
    "select date_trunc('milliseconds', clock_timestamp()) as now",
  );
  return rows[0]?.now as Date;
}

/** The entries of a table as text, without what no two entries share. */
async function comparable(of: string): Promise<string> {
  const { rows } = await database.superuser.query(
    `select replace(
       (to_jsonb(entry) - '{id,occurred_at,recorded_at,tx_id,erasure_salt}'::text[])::text,
       $1::text, 'app.table') as entry
     from public.audit_log as entry where entity_type = $1 order by id`,
    [of],
  );
  const action = of.split(".")[1] as string;
  return rows.map(({ entry }) => entry.replace(`"${action}.`, '"table.')).join("\n");
}
