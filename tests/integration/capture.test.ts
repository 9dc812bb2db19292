import { createHash } from "node:crypto";
import pg from "pg";
import { beforeAll, describe, expect, test } from "vitest";
import { ids, sqlstate, useCluster, useDatabase, withClient } from "../harness/index.js";

// Login roles belong to a cluster, and sealing waits for every open transaction of it.
const cluster = useCluster({ fsync: "off" });
const database = useDatabase(cluster, { profiled: false });

/** What a test looks at of an entry. */
interface Captured {
  id: string;
  action: string;
  entity_id: string | null;
  changes: Record<string, { old?: unknown; new?: unknown; redacted?: true }>;
  details: Record<string, unknown>;
  organisation_id: string;
  actor_id: string | null;
  actor_kind: string;
  impersonator_id: string | null;
  database_role: string;
  request_id: string | null;
  trace_id: string | null;
  user_agent: string | null;
}

beforeAll(async () => {
  await database.superuser.query("create role writer login nosuperuser");
  await database.migrator.query(`
    create schema app;
    create schema "Other Schema";
    grant usage on schema app, "Other Schema" to public`);
});

/** Creates a table, lets everybody write to it and tracks it. */
async function table(name: string, columns: string, options = "", more = ""): Promise<void> {
  await database.migrator.query(`
    create table ${name} (${columns}) ${more};
    grant select, insert, update, delete, truncate on ${name} to public`);
  await track(name, options);
}

function track(name: string, options = ""): Promise<unknown> {
  const call = `select pgtrail.track($1::regclass${options && `, ${options}`})`;
  return database.migrator.query(call, [name]);
}

/** Runs statements as the writer, on a new connection. */
function write<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
  const url = new URL(database.url());
  url.username = "writer";
  return withClient(url.toString(), work);
}

function run(...statements: string[]): Promise<void> {
  return write(async (client) => {
    for (const statement of statements) await client.query(statement);
  });
}

async function entries(entityType: string): Promise<Captured[]> {
  const { rows } = await database.superuser.query<Captured>(
    "select * from public.audit_log where entity_type = $1 order by id",
    [entityType],
  );
  return rows;
}

/** Action, key and changes: what most tests are about. */
async function captured(entityType: string): Promise<unknown[]> {
  return (await entries(entityType)).map(({ action, entity_id, changes }) => [
    action,
    entity_id,
    changes,
  ]);
}

async function last(entityType: string): Promise<Captured> {
  return (await entries(entityType)).at(-1) as Captured;
}

async function trackedTables(): Promise<{ status: string; detail: string }> {
  const { rows } = await database.superuser.query<{ status: string; detail: string }>(
    "select status, detail from pgtrail.health() where check_name = 'tracked tables'",
  );
  return rows[0] as { status: string; detail: string };
}

/** What is captured of a text that is too long. */
function cut(text: string) {
  return {
    cut: [...text].slice(0, 100).join(""),
    bytes: Buffer.byteLength(text),
    sha256: createHash("sha256").update(text).digest("hex"),
  };
}

describe("what is captured", () => {
  test("changes of a writer who may only write", async () => {
    await database.migrator.query("create table app.plain (id int primary key, name text, n int)");
    await database.migrator.query("grant insert, update, delete on app.plain to writer");
    await track("app.plain");
    await run(
      "insert into app.plain values (1, 'a', null)",
      "update app.plain set name = 'b'",
      "delete from app.plain",
    );
    expect(await captured("app.plain")).toEqual([
      ["plain.inserted", "1", { id: { new: 1 }, name: { new: "a" } }],
      ["plain.updated", "1", { name: { old: "a", new: "b" } }],
      ["plain.deleted", "1", { id: { old: 1 }, name: { old: "b" } }],
    ]);
    expect(await last("app.plain")).toMatchObject({
      organisation_id: ids.platformOrganisation,
      actor_id: "writer",
      actor_kind: "system",
      database_role: "writer",
      details: { actor_source: "session", session_user: "writer" },
    });
    for (const statement of [
      "select * from public.audit_log",
      "select * from pgtrail.tracked_table",
      "select * from pgtrail.failed_write",
      "select pgtrail.track('app.plain')",
      "select pgtrail.untrack('app.plain')",
    ]) {
      expect(await sqlstate(run(statement))).toBe("42501");
    }
  });

  test("nothing of an update that changes nothing", async () => {
    await table("app.idle", "id int primary key, name text, doc jsonb, n numeric");
    await run("insert into app.idle values (1, 'a', '{\"a\": 1}', 1.0), (2, null, null, null)");
    await run(
      "update app.idle set name = name, doc = doc, n = n",
      "update app.idle set name = 'none' where false",
    );
    expect(await entries("app.idle")).toHaveLength(2);
    // Equal, and yet another value.
    await run("update app.idle set n = 1.00 where id = 1");
    expect(JSON.stringify((await last("app.idle")).changes)).toMatch(/"n"/);
  });

  test("each update of a transaction, in order", async () => {
    await table("app.ordered", "id int primary key, n int");
    await run(
      "insert into app.ordered values (1, 0)",
      "begin",
      "update app.ordered set n = 1",
      "update app.ordered set n = 2",
      "update app.ordered set n = 3",
      "commit",
    );
    expect((await entries("app.ordered")).slice(1).map(({ changes }) => changes.n)).toEqual([
      { old: 0, new: 1 },
      { old: 1, new: 2 },
      { old: 2, new: 3 },
    ]);
  });

  test("nothing of what was rolled back", async () => {
    await table("app.undone", "id int primary key");
    await run("begin", "insert into app.undone values (1)", "rollback");
    await run(
      "begin",
      "insert into app.undone values (2)",
      "savepoint s",
      "insert into app.undone values (3)",
      "rollback to s",
      "commit",
    );
    expect((await entries("app.undone")).map(({ entity_id }) => entity_id)).toEqual(["2"]);
  });

  test("a change of the primary key, under both keys", async () => {
    await table("app.rekeyed", "id int primary key, name text");
    await run("insert into app.rekeyed values (1, 'a')", "update app.rekeyed set id = 2");
    const [, from, to] = await entries("app.rekeyed");
    expect(from).toMatchObject({
      action: "rekeyed.rekeyed_from",
      entity_id: "1",
      changes: { id: { old: 1 }, name: { old: "a" } },
      details: { new_key: "2" },
    });
    expect(to).toMatchObject({
      action: "rekeyed.rekeyed_to",
      entity_id: "2",
      changes: { id: { new: 2 }, name: { new: "a" } },
      details: { old_key: "1" },
    });
  });

  test("keys of several columns, no key, an empty one and a very long one", async () => {
    await table("app.composite", "a int, b text, n int, primary key (b, a)");
    await run("insert into app.composite values (1, 'x', 0)", "update app.composite set a = 2");
    expect((await entries("app.composite")).map(({ entity_id }) => entity_id)).toEqual([
      '["x", 1]',
      '["x", 1]',
      '["x", 2]',
    ]);

    await table("app.keyless", "n int");
    await run(
      "insert into app.keyless values (1)",
      "update app.keyless set n = 2",
      "delete from app.keyless",
    );
    expect(await captured("app.keyless")).toEqual([
      ["keyless.inserted", null, { n: { new: 1 } }],
      ["keyless.updated", null, { n: { old: 1, new: 2 } }],
      ["keyless.deleted", null, { n: { old: 2 } }],
    ]);

    await table("app.text_key", "id text primary key");
    const long = "é".repeat(600);
    await run(`insert into app.text_key values (''), ('${long}')`);
    expect((await entries("app.text_key")).map(({ entity_id }) => entity_id)).toEqual([
      "",
      `sha256:${createHash("sha256").update(long).digest("hex")}`,
    ]);
  });

  test("TRUNCATE", async () => {
    await table("app.truncated", "id int primary key");
    await run("insert into app.truncated values (1), (2)", "truncate app.truncated");
    expect((await captured("app.truncated")).at(-1)).toEqual(["truncated.truncated", null, null]);
  });

  test("INSERT ON CONFLICT, MERGE and COPY", async () => {
    await table("app.merged", "id int primary key, n int");
    await run(
      "insert into app.merged values (1, 1)",
      "insert into app.merged values (1, 2), (2, 2) on conflict (id) do update set n = excluded.n",
      "insert into app.merged values (1, 9) on conflict do nothing",
      `merge into app.merged using (values (1, 5), (2, 0), (3, 3)) as source (id, n)
         on merged.id = source.id
         when matched and source.n = 0 then delete
         when matched then update set n = source.n
         when not matched then insert values (source.id, source.n)`,
    );
    expect(
      (await entries("app.merged")).map(({ action, entity_id }) => `${action} ${entity_id}`),
    ).toEqual([
      "merged.inserted 1",
      "merged.updated 1",
      "merged.inserted 2",
      "merged.deleted 2",
      "merged.updated 1",
      "merged.inserted 3",
    ]);

    await write((client) => copy(client, "copy app.merged from stdin", "7\t7\n8\t\\N\n"));
    expect((await captured("app.merged")).slice(-2)).toEqual([
      ["merged.inserted", "7", { id: { new: 7 }, n: { new: 7 } }],
      ["merged.inserted", "8", { id: { new: 8 } }],
    ]);
  });

  test("what foreign keys do", async () => {
    await table("app.parent", "id int primary key");
    await table(
      "app.child",
      `id int primary key,
       owner int references app.parent on delete cascade,
       friend int references app.parent on delete set null on update cascade`,
    );
    await run(
      "insert into app.parent values (1), (2)",
      "insert into app.child values (10, 1, null), (11, null, 2)",
      "update app.parent set id = 3 where id = 2",
      "delete from app.parent",
    );
    expect((await captured("app.child")).slice(2)).toEqual([
      ["child.updated", "11", { friend: { old: 2, new: 3 } }],
      ["child.deleted", "10", { id: { old: 10 }, owner: { old: 1 } }],
      ["child.updated", "11", { friend: { old: 3, new: null } }],
    ]);
    expect((await last("app.child")).actor_id).toBe("writer");
  });

  test("partitioned tables, through the table and through a partition", async () => {
    await table("app.parted", "id int, n int, primary key (id)", "", "partition by range (id)");
    await database.migrator.query(`
      create table app.parted_low partition of app.parted for values from (0) to (10);
      -- Its columns are in another order.
      create table app.parted_high (n int, id int not null);
      alter table app.parted attach partition app.parted_high for values from (10) to (20);
      grant insert on app.parted_high to writer`);
    await run(
      "insert into app.parted values (1, 1)",
      "insert into app.parted_high (id, n) values (11, 5)",
      "update app.parted set n = 6 where id = 11",
      "update app.parted set id = 12 where id = 1",
      "truncate app.parted",
    );
    expect(await captured("app.parted")).toEqual([
      ["parted.inserted", "1", { id: { new: 1 }, n: { new: 1 } }],
      ["parted.inserted", "11", { id: { new: 11 }, n: { new: 5 } }],
      ["parted.updated", "11", { n: { old: 5, new: 6 } }],
      // Postgres moves a row to another partition so.
      ["parted.deleted", "1", { id: { old: 1 }, n: { old: 1 } }],
      ["parted.inserted", "12", { id: { new: 12 }, n: { new: 1 } }],
      ["parted.truncated", null, null],
    ]);
  });

  test.each([
    `My "Table"`,
    "UPPER",
    "it's; drop table x",
    "100% $body$ %1$s",
    "select",
    "é".repeat(31),
    "x".repeat(63),
  ])("a table with columns called %s", async (name) => {
    const quoted = pg.escapeIdentifier(name);
    const relation = `"Other Schema".${quoted}`;
    const other = pg.escapeIdentifier(`${name.slice(0, 30)}2`);
    await table(
      relation,
      `${quoted} uuid primary key, ${other} text`,
      `organisation_column => ${pg.escapeLiteral(name)}`,
    );
    await run(
      `insert into ${relation} values ('${ids.organisationA}', 'a')`,
      `update ${relation} set ${other} = 'b'`,
      `update ${relation} set ${quoted} = '${ids.organisationB}'`,
      `delete from ${relation}`,
    );
    const type = `Other Schema.${name}`;
    const found = await entries(type);
    expect(found.map(({ action, entity_id }) => [action, entity_id])).toEqual([
      [`${name}.inserted`, ids.organisationA],
      [`${name}.updated`, ids.organisationA],
      [`${name}.rekeyed_from`, ids.organisationA],
      [`${name}.rekeyed_to`, ids.organisationB],
      [`${name}.deleted`, ids.organisationB],
    ]);
    expect(found[1]?.changes).toEqual({ [`${name.slice(0, 30)}2`]: { old: "a", new: "b" } });
    expect(found.map(({ organisation_id }) => organisation_id)).toEqual(
      found.map(({ entity_id }) => entity_id),
    );
  });
});

async function refresh(): Promise<void> {
  await database.superuser.query("select pgtrail.refresh_tracking()");
}

test("of tables that inherit: what is done through the parent is the parent's", async () => {
  await table("app.ancestor", "id int primary key, name text");
  await table("app.heir", "more int, primary key (id)", "", "inherits (app.ancestor)");
  await table("app.untracked_heir", "primary key (id)", "", "inherits (app.ancestor)");
  await database.migrator.query("select pgtrail.untrack('app.untracked_heir')");
  await run(
    "insert into app.heir values (1, 'a', 5)",
    "insert into app.untracked_heir values (2, 'b')",
    "update app.ancestor set name = 'c'",
    "update only app.ancestor set name = 'd'",
    "update app.heir set name = 'e', more = 6",
    "delete from app.ancestor where id = 2",
  );
  expect(await captured("app.ancestor")).toEqual([
    ["ancestor.updated", "1", { name: { old: "a", new: "c" } }],
    ["ancestor.updated", "2", { name: { old: "b", new: "c" } }],
    ["ancestor.deleted", "2", { id: { old: 2 }, name: { old: "c" } }],
  ]);
  expect(await captured("app.heir")).toEqual([
    ["heir.inserted", "1", { id: { new: 1 }, name: { new: "a" }, more: { new: 5 } }],
    ["heir.updated", "1", { name: { old: "c", new: "e" }, more: { old: 5, new: 6 } }],
  ]);
  expect(await captured("app.untracked_heir")).toEqual([]);
});

describe("a statement", () => {
  /** How often the query of a capture was made anew in a transaction that is rolled back. */
  function queriesMade(...statements: string[]): Promise<number> {
    return withClient(database.url(), async (client) => {
      await client.query("begin");
      await client.query("set local track_functions = 'all'");
      for (const statement of statements) await client.query(statement);
      const { rows } = await client.query<{ calls: string }>(
        "select coalesce(sum(calls), 0) as calls from pg_stat_xact_user_functions where funcname = '_current_capture_query'",
      );
      await client.query("rollback");
      return Number(rows[0]?.calls);
    });
  }

  test.each(["statement", "row"])(
    "of one row and of several: captured alike, level %s",
    async (level) => {
      const name = `app.alike_${level}`;
      await table(
        name,
        `id int primary key, org uuid not null default '00000000-0000-4000-8000-000000000001', name text,
         long text not null, doc jsonb, amount numeric not null, secret text not null default 'a', idle int default 1`,
        `organisation_column => 'org', exclude => '{idle}', redact => '{secret}', level => '${level}'`,
      );
      const values = (id: number) => `(${id}, default, null, repeat('a', 9000), 'null', 1.0)`;
      const columns = "(id, org, name, long, doc, amount)";
      const set =
        "set name = 'b', doc = null, amount = 1.00, secret = 'c', long = repeat('b', 9000)";
      const one = (id: number) => [
        `insert into ${name} ${columns} values ${values(id)}`,
        `update ${name} ${set} where id = ${id}`,
        `update ${name} set idle = idle + 1, name = name where id = ${id}`,
        `update ${name} set id = id + 10 where id = ${id}`,
        `delete from ${name} where id = ${id + 10}`,
      ];
      await run(...one(1), ...one(2));
      const bySingle = await entries(name);
      await run(
        `insert into ${name} ${columns} values ${values(1)}, ${values(2)}`,
        `update ${name} ${set}`,
        `update ${name} set idle = idle + 1, name = name`,
        `update ${name} set id = id + 10`,
        `delete from ${name}`,
        // None at all.
        `insert into ${name} select * from ${name}`,
        `update ${name} set name = ''`,
        `delete from ${name}`,
      );
      const bySeveral = (await entries(name)).slice(bySingle.length);

      const told = (list: Captured[]) =>
        list
          .map(({ action, entity_id, changes, details, organisation_id }) =>
            JSON.stringify({ action, entity_id, changes, details, organisation_id }),
          )
          .toSorted();
      expect(bySingle).toHaveLength(10);
      expect(told(bySeveral)).toEqual(told(bySingle));
      expect(bySingle[1]).toMatchObject({
        action: `alike_${level}.updated`,
        entity_id: "1",
        organisation_id: "00000000-0000-4000-8000-000000000001",
        changes: {
          name: { old: null, new: "b" },
          doc: { old: null },
          amount: { old: 1, new: 1 },
          secret: { redacted: true },
          long: { old: { bytes: 9000 }, new: { bytes: 9000 } },
        },
      });
      expect(Object.keys(bySingle[1]?.changes ?? {})).toHaveLength(5);
    },
  );

  test.each(["", " not null"])(
    "of a table of many columns%s: has each of them once",
    async (constraint) => {
      const name = `app.wide_${constraint.length}`;
      const columns = Array.from({ length: 120 }, (_, n) => `c${n}`);
      await table(
        name,
        `id int primary key, ${columns.map((column, n) => `${column} int${constraint} default ${n}`).join(", ")}`,
      );
      await run(
        `insert into ${name} values (1)`,
        `insert into ${name} values (2), (3)`,
        `update ${name} set ${columns.map((column) => `${column} = ${column} + 1`).join(", ")}`,
        `delete from ${name} where id = 1`,
      );
      const all = (change: (n: number) => object) =>
        Object.fromEntries(columns.map((column, n) => [column, change(n)]));
      const found = await entries(name);
      const inserted = all((n) => ({ new: n }));
      const updated = all((n) => ({ old: n, new: n + 1 }));
      expect(found.map(({ changes }) => changes)).toEqual([
        ...[1, 2, 3].map((id) => ({ id: { new: id }, ...inserted })),
        ...[updated, updated, updated],
        { id: { old: 1 }, ...all((n) => ({ old: n + 1 })) },
      ]);
    },
  );

  test.each([
    ["no_data_found", "P0002"],
    ["too_many_rows", "P0003"],
  ])(
    "is not taken for one of no or of several rows when a cast raises %s",
    async (condition, code) => {
      await database.superuser.query(`
        create type app.${condition} as enum ('a', 'b');
        create function app.as_json(value app.${condition}) returns json language plpgsql as $$
        begin
          raise ${condition};
        end $$;
        create cast (app.${condition} as json) with function app.as_json(app.${condition})`);
      const name = `app.cast_${condition}`;
      for (const level of ["statement", "row"]) {
        await table(name, `id int primary key, odd app.${condition}`, `level => '${level}'`);
        expect(await sqlstate(run(`insert into ${name} values (1, 'a')`))).toBe(code);
        await run(`insert into ${name} values (1, null)`);
        expect(await sqlstate(run(`update ${name} set odd = 'b'`))).toBe(code);
        await database.migrator.query("select pgtrail.untrack($1::regclass)", [name]);
        await database.migrator.query(`drop table ${name}`);
      }
      const inserted = [`cast_${condition}.inserted`, "1", { id: { new: 1 } }];
      expect(await captured(name)).toEqual([inserted, inserted]);
    },
  );

  test("of several rows happens and is captured when comparing all their keys fails", async () => {
    await database.superuser.query(`
      create type app.code as enum ('a', 'b');
      create sequence app.calls start 2 minvalue 1;
      grant usage on sequence app.calls to public;
      create function app.as_json(value app.code) returns json language plpgsql as $$
      begin
        -- As an array does that takes no more.
        if nextval('app.calls') = 1 then
          raise program_limit_exceeded;
        end if;
        return to_json(value::text);
      end $$;
      create cast (app.code as json) with function app.as_json(app.code)`);
    await table("app.coded", "code app.code primary key, n int");
    await run("insert into app.coded values ('a', 1), ('b', 1)");
    await database.superuser.query("alter sequence app.calls restart 1");
    await run("update app.coded set n = 2");
    const changes = { n: { old: 1, new: 2 } };
    expect((await captured("app.coded")).slice(2)).toEqual([
      ["coded.updated", "a", changes],
      ["coded.updated", "b", changes],
    ]);
  });

  test("is captured by static SQL, but for keys that change and altered tables", async () => {
    await table("app.static", "id int primary key, name text");
    const writes = [
      "insert into app.static values (1)",
      "insert into app.static values (2), (3)",
      "update app.static set name = 'a' where id = 1",
      "update app.static set name = 'b'",
      "update app.static set name = 'c' where false",
      "delete from app.static where id = 1",
      "delete from app.static",
      "truncate app.static",
    ];
    expect(await queriesMade(...writes)).toBe(0);
    const rekey = "update app.static set id = id + 10";
    expect(await queriesMade("insert into app.static values (1)", rekey)).toBe(3);
    expect(await queriesMade("insert into app.static values (1), (2)", rekey)).toBe(3);
    const alter = "alter table app.static add more int";
    const insert = "insert into app.static values (1)";
    expect(await queriesMade(alter, insert)).toBe(1);
    expect(await queriesMade(alter, "alter table app.static drop more", insert)).toBe(1);
    expect(await queriesMade(alter, "select pgtrail.refresh_tracking()", insert)).toBe(0);
  });
});

describe("a table that is altered", () => {
  test("by a column more: captured before and after refresh_tracking()", async () => {
    await table("app.grown", "id int primary key, name text");
    await run("insert into app.grown values (1, 'a')");
    await database.migrator.query("alter table app.grown add column score int default 5");
    expect(await trackedTables()).toMatchObject({
      status: "critical",
      detail: expect.stringContaining("refresh_tracking"),
    });
    const writes = [
      "insert into app.grown values (2, 'b', 6)",
      "update app.grown set score = 7 where id = 1",
      "update app.grown set score = score, name = name",
      "update app.grown set id = 9 where id = 1",
      "delete from app.grown",
    ];
    const after = [
      ["grown.inserted", "2", { id: { new: 2 }, name: { new: "b" }, score: { new: 6 } }],
      ["grown.updated", "1", { score: { old: 5, new: 7 } }],
      ["grown.rekeyed_from", "1", { id: { old: 1 }, name: { old: "a" }, score: { old: 7 } }],
      ["grown.rekeyed_to", "9", { id: { new: 9 }, name: { new: "a" }, score: { new: 7 } }],
      ["grown.deleted", "2", { id: { old: 2 }, name: { old: "b" }, score: { old: 6 } }],
      ["grown.deleted", "9", { id: { old: 9 }, name: { old: "a" }, score: { old: 7 } }],
    ];
    await run(...writes);
    expect((await captured("app.grown")).slice(1)).toEqual(after);

    await refresh();
    expect(await trackedTables()).toMatchObject({ status: "ok" });
    await run("insert into app.grown values (1, 'a')", ...writes);
    expect((await captured("app.grown")).slice(8)).toEqual(after);
  });

  test.each([
    "drop column name",
    "rename column name to label",
    "alter column name type varchar(20)",
    "alter column name type int using 0",
    "rename column id to number",
    "alter column id type text",
    "drop constraint altered_pkey",
    "drop column id",
    "rename column org to tenant",
    "drop column org",
    "alter column org type text using 'of no uuid'",
    "drop column secret",
    "drop column n",
    "rename to altered_too",
    "set schema public",
  ])("%s: is written to as before", async (change) => {
    await table(
      "app.altered",
      `id int constraint altered_pkey primary key default 1, name text default 'a', secret text default 'b',
       n int default 3, org uuid default gen_random_uuid(), at timestamptz default now()`,
      "organisation_column => 'org', exclude => '{n}', redact => '{secret}'",
    );
    const relation = change.startsWith("rename to")
      ? "app.altered_too"
      : change.startsWith("set schema")
        ? "public.altered"
        : "app.altered";
    const known = (await entries("app.altered")).length;
    // One connection has plans for the table as it was, the others are new.
    await write(async (client) => {
      const writeAll = async (name: string) => {
        await client.query(`insert into ${name} default values`);
        await client.query(`update ${name} set at = now() + interval '1 hour'`);
        await client.query(`delete from ${name}`);
      };
      await writeAll("app.altered");
      await database.migrator.query(
        change.includes("org type")
          ? `alter table app.altered alter column org drop default, ${change},
               alter column org set default 'of no uuid'`
          : change.includes("name type int")
            ? `alter table app.altered alter column name drop default, ${change}`
            : `alter table app.altered ${change}`,
      );
      for (const refreshed of [false, true]) {
        if (refreshed) await refresh();
        await writeAll(relation);
        await run(`insert into ${relation} default values`, `delete from ${relation}`);
      }
    });
    const found = (await entries("app.altered")).slice(known);
    expect(found.map(({ action }) => action.replace(/.*[.]/, ""))).toEqual([
      ...["inserted", "updated", "deleted"],
      ...["inserted", "updated", "deleted", "inserted", "deleted"],
      ...["inserted", "updated", "deleted", "inserted", "deleted"],
    ]);
    // Columns that tracking names must be there: a renamed one is neither redacted nor the tenant's.
    const lost = /column (org|secret|n)\b/.test(change);
    expect(await trackedTables()).toMatchObject(
      lost
        ? { status: "critical", detail: expect.stringContaining("lost a column") }
        : { status: "ok" },
    );
    if (lost) await track(relation);
    expect((await trackedTables()).status).toBe("ok");
    await database.migrator.query("select pgtrail.untrack($1::regclass)", [relation]);
    await database.migrator.query(`drop table ${relation}`);
  });

  test.each([
    ["disabled", "alter table app.watched disable trigger pgtrail_capture_insert"],
    ["for replicas only", "alter table app.watched enable replica trigger pgtrail_capture_update"],
    ["dropped", "drop trigger pgtrail_capture_truncate on app.watched"],
    ["gone with the table", "drop table app.watched"],
  ])("health() tells of a trigger that is %s", async (_, statement) => {
    await table("app.watched", "id int primary key");
    expect(await trackedTables()).toMatchObject({ status: "ok" });
    await database.migrator.query(statement);
    expect(await trackedTables()).toMatchObject({
      status: "critical",
      detail: expect.stringContaining("lack a trigger"),
    });
    if (statement.startsWith("drop table")) {
      await database.superuser.query(
        "delete from pgtrail.tracked_table where entity_type = 'app.watched'",
      );
    } else {
      await track("app.watched");
      expect(await trackedTables()).toMatchObject({ status: "ok" });
      await database.migrator.query("select pgtrail.untrack('app.watched')");
      await database.migrator.query("drop table app.watched");
    }
  });
});

describe("values", () => {
  test("of every kind of type", async () => {
    await database.migrator.query(`
      create type app.mood as enum ('sad', 'ok');
      create type app.pair as (a int, b text);
      create domain app.short_text as text check (char_length(value) < 10);
      create domain app.shorter_text as app.short_text check (char_length(value) < 5)`);
    await table(
      "app.kinds",
      `id int primary key, twice int generated always as (id * 2) stored, mood app.mood,
       domains app.shorter_text, texts text[], grid int[], bytes bytea, doc jsonb, plain json,
       amount numeric, span int4range, spans int4multirange, day date, long interval,
       yes boolean, pair app.pair, moods app.mood[], address inet, bits bit(3), unicode text,
       floating float8`,
    );
    await run(
      `insert into app.kinds values (1, default, 'ok', 'abc', '{a,NULL,"b c"}', '{{1,2},{3,4}}', '\\xdeadbeef',
        '{"a": null}', '{"b":  1}', 1.10, '[1,5)', '{[1,2),[5,7)}', '2026-01-02', '1 day', true, (1, 'x'),
        '{sad,ok}', '10.0.0.1/8', '101', 'é"\\😀', 'NaN')`,
      "update app.kinds set doc = 'null', plain = null, bytes = '\\x00', amount = 1.2, moods = '{}'",
      "update app.kinds set doc = null",
    );
    const [inserted, updated, nothing] = await entries("app.kinds");
    expect(inserted?.changes).toEqual({
      id: { new: 1 },
      twice: { new: 2 },
      mood: { new: "ok" },
      domains: { new: "abc" },
      texts: { new: ["a", null, "b c"] },
      grid: {
        new: [
          [1, 2],
          [3, 4],
        ],
      },
      bytes: { new: "\\xdeadbeef" },
      doc: { new: { a: null } },
      plain: { new: { b: 1 } },
      amount: { new: 1.1 },
      span: { new: "[1,5)" },
      spans: { new: "{[1,2),[5,7)}" },
      day: { new: "2026-01-02" },
      long: { new: "1 day" },
      yes: { new: true },
      pair: { new: { a: 1, b: "x" } },
      moods: { new: ["sad", "ok"] },
      address: { new: "10.0.0.1/8" },
      bits: { new: "101" },
      unicode: { new: 'é"\\😀' },
      floating: { new: "NaN" },
    });
    // A side that is absent was NULL, and null is the null of JSON.
    expect(updated?.changes).toEqual({
      bytes: { old: "\\xdeadbeef", new: "\\x00" },
      doc: { old: { a: null }, new: null },
      plain: { old: { b: 1 } },
      amount: { old: 1.1, new: 1.2 },
      moods: { old: ["sad", "ok"], new: [] },
    });
    expect(nothing?.changes).toEqual({ doc: { old: null } });
  });

  test("large ones are cut, with the hash of all of it", async () => {
    await table("app.large", "id int primary key, t text, b bytea, j jsonb, a text[]");
    const text = "é1".repeat(5_000);
    const fits = "x".repeat(8_192);
    const bytes = "ab".repeat(4_097);
    await write(async (client) => {
      await client.query("insert into app.large values (1, $1, $2, $3, $4)", [
        text,
        Buffer.from(bytes, "hex"),
        JSON.stringify({ text }),
        [text],
      ]);
      await client.query("update app.large set t = $1, b = $2, j = null, a = null", [
        fits,
        Buffer.from(bytes.slice(2), "hex"),
      ]);
    });
    const [inserted, updated] = await entries("app.large");
    expect(inserted?.changes).toEqual({
      id: { new: 1 },
      t: { new: cut(text) },
      b: { new: cut(`\\x${bytes}`) },
      j: { new: cut(`{"text": "${text}"}`) },
      a: { new: cut(`{${text}}`) },
    });
    expect(updated?.changes).toMatchObject({
      t: { old: cut(text), new: fits },
      b: { new: `\\x${bytes.slice(2)}` },
    });
  });

  test("of more than 64 KiB together, in few columns and in many", async () => {
    const names = Array.from({ length: 20 }, (_, n) => `c${n}`);
    await table("app.wide", `id int primary key, ${names.map((name) => `${name} text`).join()}`);
    const text = "y".repeat(8_000);
    await run(`insert into app.wide values (1, ${names.map(() => `'${text}'`).join()})`);
    expect((await last("app.wide")).changes).toEqual({
      id: { new: 1 },
      ...Object.fromEntries(names.map((name) => [name, { new: cut(text) }])),
    });

    const many = Array.from({ length: 400 }, (_, n) => `c${n}`);
    await table("app.wider", `id int primary key, ${many.map((name) => `${name} text`).join()}`);
    await run(`insert into app.wider values (1, ${many.map(() => "repeat('z', 300)").join()})`);
    expect((await last("app.wider")).changes).toEqual({
      "*": { cut: expect.any(String), bytes: expect.any(Number), sha256: expect.any(String) },
    });
  });

  test("excluded and redacted ones", async () => {
    await table(
      "app.private",
      "id int primary key, name text, noise int, password text",
      "exclude => '{noise}', redact => '{password}'",
    );
    await run(
      "insert into app.private values (1, 'a', 1, 'secret')",
      "update app.private set noise = 2",
      "update app.private set password = 'secret too'",
      "update app.private set password = password, name = 'b'",
      "delete from app.private",
    );
    const password = { redacted: true };
    expect(await captured("app.private")).toEqual([
      ["private.inserted", "1", { id: { new: 1 }, name: { new: "a" }, password }],
      ["private.updated", "1", { password }],
      ["private.updated", "1", { name: { old: "a", new: "b" } }],
      ["private.deleted", "1", { id: { old: 1 }, name: { old: "b" }, password }],
    ]);
  });

  test("the organisation: of the column, else the platform's", async () => {
    await table("app.tenants", "id int primary key, org uuid", "organisation_column => 'org'");
    await run(
      `insert into app.tenants values (1, '${ids.organisationA}'), (2, null)`,
      `update app.tenants set org = '${ids.organisationB}' where id = 1`,
      "delete from app.tenants where id = 1",
      "truncate app.tenants",
    );
    expect((await entries("app.tenants")).map(({ organisation_id }) => organisation_id)).toEqual([
      ids.organisationA,
      ids.platformOrganisation,
      ids.organisationB,
      ids.organisationB,
      ids.platformOrganisation,
    ]);
  });
});

describe("who is said to have done it", () => {
  beforeAll(() => table("app.acts", "id int primary key generated always as identity, n int"));

  const insert = "insert into app.acts (n) values (1)";

  test("a user whose token PostgREST verified", async () => {
    await database.as("coordinatorA", (client) => client.query(insert));
    expect(await last("app.acts")).toMatchObject({
      actor_id: ids.coordinatorA,
      actor_kind: "user",
      impersonator_id: null,
      database_role: "authenticated",
      details: { actor_source: "claims", session_user: "authenticator" },
    });
  });

  test("a user in whose name another acts", async () => {
    const claims = { sub: "ada", act: { sub: "boss" } };
    await database.as({ role: "authenticated", claims }, (client) => client.query(insert));
    expect(await last("app.acts")).toMatchObject({
      actor_id: "ada",
      actor_kind: "impersonated",
      impersonator_id: "boss",
    });
  });

  test("a service, with a token of nobody", async () => {
    await database.as("service", (client) => client.query(insert));
    expect(await last("app.acts")).toMatchObject({
      actor_id: null,
      actor_kind: "service",
      database_role: "service_role",
    });
  });

  test("not a user, where a login sets claims itself", async () => {
    await run(`set request.jwt.claims = '{"sub": "ada", "act": {"sub": "boss"}}'`, insert);
    expect(await last("app.acts")).toMatchObject({
      actor_id: "writer",
      actor_kind: "system",
      impersonator_id: null,
      details: { actor_source: "session", unverified_sub: "ada" },
    });
  });

  test("whom set_context() names, until the end of the transaction", async () => {
    await database.superuser.query("grant service_role to writer");
    await run(
      "set role service_role",
      "begin",
      `select pgtrail.set_context('{"actor_id": "ada", "request_id": "r1", "trace_id": "t1", "reason": "why"}')`,
      insert,
      "commit",
      insert,
    );
    await database.superuser.query("revoke service_role from writer");
    const [named, after] = (await entries("app.acts")).slice(-2);
    expect(named).toMatchObject({
      actor_id: "ada",
      actor_kind: "service",
      request_id: "r1",
      trace_id: "t1",
      database_role: "service_role",
      details: { actor_source: "context", context: { actor_id: "ada", reason: "why" } },
    });
    expect(after).toMatchObject({
      actor_id: "writer",
      actor_kind: "system",
      request_id: null,
      details: { actor_source: "session" },
    });
    expect(after?.details).not.toHaveProperty("context");
  });

  test("not whom set_context() names, where a token was verified", async () => {
    await database.as("coordinatorA", async (client) => {
      await client.query(`select pgtrail.set_context('{"actor_id": "boss"}')`);
      await client.query(insert);
    });
    expect(await last("app.acts")).toMatchObject({
      actor_id: ids.coordinatorA,
      actor_kind: "user",
    });
  });

  test.each([["null"], ["[]"], ['"x"'], [`{"x": "${"x".repeat(5_000)}"}`]])(
    "set_context() refuses %.20s",
    async (context) => {
      const query = database.as("service", (client) =>
        client.query("select pgtrail.set_context($1)", [context]),
      );
      expect(await sqlstate(query)).toBe("22023");
    },
  );

  test("headers of the request", async () => {
    const trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    const headers = {
      "x-request-id": "r2",
      "user-agent": "a browser",
      "x-forwarded-for": "192.0.2.1",
      traceparent: `00-${trace}-00f067aa0ba902b7-01`,
    };
    await database.as("coordinatorA", async (client) => {
      await client.query("select set_config('request.headers', $1, true)", [
        JSON.stringify(headers),
      ]);
      await client.query(insert);
    });
    expect(await last("app.acts")).toMatchObject({
      request_id: "r2",
      trace_id: trace,
      user_agent: "a browser",
      details: { forwarded_for: "192.0.2.1" },
    });
  });

  test.each([
    ["request.jwt.claims", "{"],
    ["request.jwt.claims", "[1]"],
    ["request.jwt.claims", '"x"'],
    ["request.jwt.claims", '{"sub": {"a": 1}, "act": "boss"}'],
    ["request.jwt.claims", '{"sub": "", "act": {"sub": "boss"}}'],
    ["request.jwt.claims", '{"sub": "ada", "act": {"sub": ""}}'],
    ["request.jwt.claims", '{"sub": "\\u0000"}'],
    ["request.jwt.claims", `{"sub": "${"é".repeat(10_000)}"}`],
    ["request.headers", "x"],
    ["request.headers", "[]"],
    ["request.headers", '{"traceparent": "00-x", "x-request-id": 5, "user-agent": null}'],
    ["request.headers", `{"x-request-id": "", "user-agent": "${"é".repeat(10_000)}"}`],
    ["request.headers", `{"x-forwarded-for": "${"é".repeat(10_000)}"}`],
    ["pgtrail.context", "{"],
    ["pgtrail.context", "5"],
    ["pgtrail.context", '"x"'],
    ["pgtrail.context", "[1]"],
    ["pgtrail.context", "null"],
    ["pgtrail.context", '{"actor_id": {"a": [1]}}'],
    ["pgtrail.context", JSON.stringify({ x: Array.from({ length: 20_000 }, (_, n) => n) })],
  ])("nothing in %s keeps a change from happening: %.60s", async (setting, value) => {
    const before = (await entries("app.acts")).length;
    await database.as("coordinatorA", async (client) => {
      await client.query("select set_config($1, $2, true)", [setting, value]);
      await client.query(insert);
    });
    await write(async (client) => {
      await client.query("select set_config($1, $2, false)", [setting, value]);
      await client.query(insert);
    });
    expect(await entries("app.acts")).toHaveLength(before + 2);
  });
});

describe("a writer who means harm", () => {
  const evil = `
    create function SCHEMA.evil() returns void language sql as
      'insert into app.stolen values (current_user)'`;

  beforeAll(async () => {
    await database.migrator.query(`
      create table app.stolen (by_whom text);
      create schema evil;
      grant usage, create on schema evil to writer;
      grant insert on app.stolen to public`);
    await table("app.prey", "id int primary key, name text, doc jsonb");
  });

  async function attack(client: pg.Client): Promise<void> {
    await client.query(`insert into app.prey values (1, 'a', '{"a": 1}')`);
    await client.query("update app.prey set name = 'b', doc = '{}'");
    await client.query("update app.prey set id = 2");
    await client.query("delete from app.prey");
    const { rows } = await database.superuser.query("select * from app.stolen");
    expect(rows).toEqual([]);
    expect((await entries("app.prey")).slice(-5).map(({ action }) => action)).toEqual([
      "prey.inserted",
      "prey.updated",
      "prey.rekeyed_from",
      "prey.rekeyed_to",
      "prey.deleted",
    ]);
  }

  test("runs nothing through functions and operators that are found first", async () => {
    await write(async (client) => {
      await client.query(evil.replace("SCHEMA", "evil"));
      const functions = [
        "to_jsonb(anyelement) returns jsonb",
        "to_jsonb(text) returns jsonb",
        "to_jsonb(int) returns jsonb",
        "jsonb_build_object(text, jsonb) returns jsonb",
        "jsonb_build_object(text, jsonb, text, jsonb) returns jsonb",
        "octet_length(text) returns int",
        "current_setting(text) returns text",
        "current_setting(text, boolean) returns text",
        "clock_timestamp() returns timestamptz",
        "inet_client_addr() returns inet",
        "both(jsonb, jsonb) returns jsonb",
        "same(jsonb, jsonb) returns boolean",
        "same(text, text) returns boolean",
        "same(int, int) returns boolean",
      ];
      for (const each of functions) {
        await client.query(
          `create function evil.${each} language plpgsql as 'begin perform evil.evil(); return null; end'`,
        );
      }
      await client.query(`
        create operator evil.|| (function = evil.both, leftarg = jsonb, rightarg = jsonb);
        create operator evil.= (function = evil.same, leftarg = jsonb, rightarg = jsonb);
        create operator evil.= (function = evil.same, leftarg = text, rightarg = text);
        create operator evil.<> (function = evil.same, leftarg = int, rightarg = int);
        create operator evil.*<> (function = evil.same, leftarg = int, rightarg = int);
        set search_path = evil, pg_catalog, app`);
      await attack(client);
    });
  });

  test("runs nothing through types of the temporary schema", async () => {
    await write(async (client) => {
      await client.query("create temp table opened ()");
      await client.query(evil.replace("SCHEMA", "pg_temp"));
      await client.query(`
        create function pg_temp.evil_check() returns boolean language plpgsql as
          'begin perform pg_temp.evil(); return true; end'`);
      for (const type of ["text", "jsonb", "uuid", "name", "regclass"]) {
        await client.query(
          `create domain pg_temp.${type} as pg_catalog.${type} check (pg_temp.evil_check())`,
        );
      }
      await attack(client);
    });
  });
});

/** Sends `data` to a COPY FROM STDIN. */
function copy(client: pg.Client, statement: string, data: string): Promise<void> {
  return new Promise((resolve, reject) => {
    // What pg calls of a query that it is given.
    const query = {
      submit: (connection: { query(text: string): void }) => connection.query(statement),
      handleCopyInResponse: (connection: {
        sendCopyFromChunk(chunk: Buffer): void;
        endCopyFrom(): void;
      }) => {
        connection.sendCopyFromChunk(Buffer.from(data));
        connection.endCopyFrom();
      },
      handleCommandComplete: () => {},
      handleReadyForQuery: () => resolve(),
      handleError: reject,
    };
    client.query(query as unknown as pg.Submittable);
  });
}
