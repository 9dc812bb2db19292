import type pg from "pg";
import { beforeAll, describe, expect, test } from "vitest";
import { sqlstate, useDatabase, withClient } from "../harness/index.js";

const database = useDatabase();

beforeAll(async () => {
  await database.migrator.query(`
    create table public.note (id int primary key, text text);
    grant select, insert, update, delete on public.note to service_role`);
  await database.migrator.query("select pgtrail.track('public.note')");
});

let next = 1;

/** Inserts a note with what one transaction has set. Returns its key. */
async function insert(client: pg.ClientBase): Promise<string> {
  const id = next++;
  await client.query("insert into public.note values ($1, 'a')", [id]);
  return String(id);
}

function setContext(client: pg.ClientBase, context: object): Promise<unknown> {
  return client.query("select pgtrail.set_context($1)", [JSON.stringify(context)]);
}

async function entry(id: string) {
  const { rows } = await database.superuser.query(
    "select * from public.audit_log where entity_type = 'public.note' and entity_id = $1",
    [id],
  );
  expect(rows).toHaveLength(1);
  return rows[0];
}

/** One connection to the server, as a pooler gives it to one transaction after the other. */
function pooled<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
  return withClient(database.url("authenticator"), work);
}

async function begin(client: pg.ClientBase): Promise<void> {
  await client.query("begin");
  await client.query("set local role service_role");
}

/** What an entry says when nobody said anything. */
const silent = {
  actor_id: "authenticator",
  actor_kind: "system",
  impersonator_id: null,
  request_id: null,
  trace_id: null,
  database_role: "service_role",
};

const ada = { actor_id: "ada", request_id: "r1", trace_id: "t1", reason: "why" };

/** A transaction of its own. Its entry says nothing of those before. */
async function expectNothingLeft(client: pg.ClientBase): Promise<void> {
  await begin(client);
  const id = await insert(client);
  await client.query("commit");
  const found = await entry(id);
  expect(found).toMatchObject(silent);
  expect(found.details).toEqual({ actor_source: "session", session_user: "authenticator" });
}

describe("set_context() lasts for one transaction of a connection", () => {
  test("that commits", async () => {
    await pooled(async (client) => {
      await begin(client);
      await setContext(client, ada);
      const [first, second] = [await insert(client), await insert(client)];
      await client.query("commit");
      for (const id of [first, second]) {
        expect(await entry(id)).toMatchObject({
          actor_id: "ada",
          actor_kind: "service",
          request_id: "r1",
          trace_id: "t1",
          details: { actor_source: "context", context: { actor_id: "ada", reason: "why" } },
        });
      }
      await expectNothingLeft(client);
    });
  });

  test("that is rolled back", async () => {
    await pooled(async (client) => {
      await begin(client);
      await setContext(client, ada);
      await insert(client);
      await client.query("rollback");
      await expectNothingLeft(client);
    });
  });

  test("that an error ends", async () => {
    await pooled(async (client) => {
      await begin(client);
      await setContext(client, ada);
      await insert(client);
      expect(await sqlstate(client.query("select 1 / 0"))).toBe("22012");
      await client.query("commit");
      await expectNothingLeft(client);
    });
  });

  test("that is a single statement", async () => {
    await pooled(async (client) => {
      await client.query("set role service_role");
      await setContext(client, ada);
      await client.query("reset role");
      await expectNothingLeft(client);
    });
  });

  test("and ends with a savepoint that is rolled back", async () => {
    await pooled(async (client) => {
      await begin(client);
      await setContext(client, ada);
      await client.query("savepoint s");
      await setContext(client, { actor_id: "bo" });
      const gone = await insert(client);
      await client.query("rollback to s");
      const id = await insert(client);
      await client.query("commit");
      expect(await entry(id)).toMatchObject({ actor_id: "ada", request_id: "r1" });
      const { rows } = await database.superuser.query(
        "select from public.audit_log where entity_type = 'public.note' and entity_id = $1",
        [gone],
      );
      expect(rows).toEqual([]);
      await expectNothingLeft(client);
    });
  });

  test("called again, the last one counts, and as a whole", async () => {
    await pooled(async (client) => {
      await begin(client);
      await setContext(client, ada);
      await setContext(client, { actor_id: "bo" });
      const named = await insert(client);
      await setContext(client, {});
      const unnamed = await insert(client);
      await client.query("commit");
      expect(await entry(named)).toMatchObject({
        actor_id: "bo",
        request_id: null,
        details: { context: { actor_id: "bo" } },
      });
      expect(await entry(unnamed)).toMatchObject(silent);
    });
  });

  test("two connections do not see each other's", async () => {
    await pooled((one) =>
      pooled(async (other) => {
        await begin(one);
        await begin(other);
        await setContext(one, ada);
        const unnamed = await insert(other);
        const named = await insert(one);
        await one.query("commit");
        await other.query("commit");
        expect(await entry(unnamed)).toMatchObject(silent);
        expect(await entry(named)).toMatchObject({ actor_id: "ada" });
      }),
    );
  });
});

test("an upper bound of 4 KiB, and an object", async () => {
  // pg_column_size of {"x": "..."} is 18 bytes more than the text.
  const fits = { x: "x".repeat(4_000) };
  await pooled(async (client) => {
    await begin(client);
    await setContext(client, fits);
    const id = await insert(client);
    await client.query("commit");
    expect((await entry(id)).details.context).toEqual(fits);
  });
  for (const context of [
    "null",
    "[]",
    '"x"',
    "5",
    JSON.stringify({ x: "x".repeat(4_096) }),
    null,
  ]) {
    const query = database.as("service", (client) =>
      client.query("select pgtrail.set_context($1)", [context]),
    );
    await expect(query).rejects.toMatchObject({
      code: "22023",
      message: "context must be a JSON object of at most 4 KiB",
      hint: expect.stringContaining("actor_id"),
    });
  }
});

test("what set_context() would refuse and the session sets itself says nothing", async () => {
  for (const context of [
    "[]",
    '"x"',
    '{"actor_id": ',
    JSON.stringify({ actor_id: "ada", x: "x".repeat(4_096) }),
  ]) {
    await pooled(async (client) => {
      await begin(client);
      await client.query("select set_config('pgtrail.context', $1, true)", [context]);
      const id = await insert(client);
      await client.query("commit");
      const found = await entry(id);
      expect(found).toMatchObject(silent);
      expect(found.details).toEqual({ actor_source: "session", session_user: "authenticator" });
    });
  }
});

test("what is refused leaves what was said before", async () => {
  await pooled(async (client) => {
    await begin(client);
    await setContext(client, ada);
    await client.query("savepoint s");
    expect(await sqlstate(client.query("select pgtrail.set_context('[]')"))).toBe("22023");
    await client.query("rollback to s");
    const id = await insert(client);
    await client.query("commit");
    expect(await entry(id)).toMatchObject({ actor_id: "ada" });
  });
});
