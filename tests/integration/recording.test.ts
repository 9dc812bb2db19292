import fc from "fast-check";
import type pg from "pg";
import { describe, expect, test } from "vitest";
import { ids, sqlstate, useDatabase } from "../harness/index.js";

const database = useDatabase();

interface Event {
  id?: string;
  occurredAt?: string;
  action?: string | null;
  organisation?: string | null;
  [argument: string]: unknown;
}

function record(
  client: pg.ClientBase,
  { id, occurredAt, action = "test.recorded", organisation = ids.organisationA, ...more }: Event,
) {
  const named = Object.keys(more).map((name, i) => `, ${name} => $${i + 5}`);
  return client.query<{ id: string }>(
    `select public.record_audit_event($1, $2, p_occurred_at => $3, p_id => $4${named.join("")}) as id`,
    [organisation, action, occurredAt ?? null, id ?? null, ...Object.values(more)],
  );
}

async function entries(where = "true", values: unknown[] = []): Promise<number> {
  const { rows } = await database.superuser.query<{ n: number }>(
    `select count(*)::int as n from public.audit_log where ${where}`,
    values,
  );
  return rows[0]?.n ?? -1;
}

async function newId(at = "now()"): Promise<string> {
  const { rows } = await database.superuser.query<{ id: string }>(
    `select pgtrail.uuid7(${at}) as id`,
  );
  return (rows[0] as { id: string }).id;
}

describe("an event sent again is the same entry", () => {
  test("twice by record_audit_event", async () => {
    const id = await newId();
    for (const action of ["first", "second"]) {
      const { rows } = await database.as("service", (client) => record(client, { id, action }));
      expect(rows).toEqual([{ id }]);
    }
    expect(await entries("id = $1", [id])).toBe(1);
    expect(await entries("id = $1 and action = 'first'", [id])).toBe(1);
  });

  test("twice by direct insert", async () => {
    const id = await newId();
    for (let n = 0; n < 2; n++) {
      await database.as("service", (client) =>
        client.query(
          "insert into public.audit_log (id, organisation_id, action) values ($1, $2, 'a') on conflict (id) do nothing",
          [id, ids.organisationA],
        ),
      );
    }
    expect(await entries("id = $1", [id])).toBe(1);
  });

  test("by 8 connections at once", async () => {
    const id = await newId();
    const results = await Promise.all(
      Array.from({ length: 8 }, () => database.as("service", (client) => record(client, { id }))),
    );
    expect(results.map((result) => result.rows[0]?.id)).toEqual(Array(8).fill(id));
    expect(await entries("id = $1", [id])).toBe(1);
  });
});

describe("the time of an event", () => {
  test.each([
    ["2025-01-31T23:59:59.999Z", "audit_log_2025_01"],
    ["2025-02-01T00:00:00.000Z", "audit_log_2025_02"],
    ["2025-02-28T23:59:59.999Z", "audit_log_2025_02"],
    ["2025-12-31T23:59:59.999Z", "audit_log_2025_12"],
    ["2026-01-01T00:00:00.000Z", "audit_log_2026_01"],
  ])("%s lies in %s", async (occurredAt, partition) => {
    const { rows } = await database.as("service", async (client) => {
      await client.query("select public.prepare_audit_backfill('audit_log', '2025-01-01Z')");
      return record(client, { occurredAt });
    });
    const found = await database.superuser.query(
      "select tableoid::regclass::text as partition, occurred_at from public.audit_log where id = $1",
      [rows[0]?.id],
    );
    expect(found.rows).toEqual([
      { partition: `pgtrail_partitions.${partition}`, occurred_at: new Date(occurredAt) },
    ]);
  });

  test("at the extreme ids of a month, first and last, are routed to it", async () => {
    const { rows } = await database.superuser.query<{ first: string; last: string }>(`
      select pgtrail.uuid7_floor('2026-11-01Z') as first,
        overlay(pgtrail.uuid7_floor('2026-11-30 23:59:59.999Z')::text placing '7fff-bfff-ffffffffffff' from 15)::uuid as last`);
    const { first, last } = rows[0] as { first: string; last: string };
    await database.superuser.query(
      "select pgtrail.ensure_partitions('public.audit_log', '2026-11-01Z', '2026-11-30Z')",
    );
    for (const id of [first, last]) {
      const inserted = await database.superuser.query(
        "insert into public.audit_log (id, organisation_id, action, recorded_at) values ($1, $2, 'edge', '2026-12-01Z') returning tableoid::regclass::text as partition",
        [id, ids.organisationA],
      );
      expect(inserted.rows).toEqual([{ partition: "pgtrail_partitions.audit_log_2026_11" }]);
    }
  });

  test("before the first partition: plain words, nothing written", async () => {
    const before = await entries();
    await expect(
      database.as("service", (client) => record(client, { occurredAt: "2001-01-01Z" })),
    ).rejects.toMatchObject({
      code: "23514",
      message: "public.audit_log keeps no entries of 2001-01",
      hint: expect.stringContaining("prepare_audit_backfill"),
    });
    const ancient = await newId("'2001-01-01Z'");
    expect(
      await sqlstate(
        database.as("service", (client) =>
          client.query(
            "insert into public.audit_log (id, organisation_id, action) values ($1, $2, 'a')",
            [ancient, ids.organisationA],
          ),
        ),
      ),
    ).toBe("23514");
    expect(await entries()).toBe(before);
  });

  test("more than 5 minutes ahead: refused on every path; 4 minutes ahead: recorded", async () => {
    const before = await entries();
    const future = await newId("now() + interval '6 minutes'");
    await expect(
      database.as("service", (client) => record(client, { id: future })),
    ).rejects.toMatchObject({ code: "23514", message: "the event lies in the future" });
    expect(
      await sqlstate(
        database.as("service", (client) =>
          client.query(
            "insert into public.audit_log (id, organisation_id, action) values ($1, $2, 'a')",
            [future, ids.organisationA],
          ),
        ),
      ),
    ).toBe("23514");
    expect(await entries()).toBe(before);
    const soon = await newId("now() + interval '4 minutes'");
    await database.as("service", (client) => record(client, { id: soon }));
    expect(await entries("id = $1", [soon])).toBe(1);
  });

  test("cannot be sent beside the id: it is the id's", async () => {
    expect(
      await sqlstate(
        database.as("service", (client) =>
          client.query(
            "insert into public.audit_log (organisation_id, action, occurred_at) values ($1, 'a', now())",
            [ids.organisationA],
          ),
        ),
      ),
    ).toBe("428C9");
  });
});

describe("bad input is refused with a clear error and nothing is written", () => {
  const oneMegabyte = JSON.stringify({ text: "x".repeat(1_000_000) });
  const cases: Array<[string, Event, RegExp]> = [
    ["NUL in text", { action: "a\u0000b" }, /^22021$/],
    ["NUL in jsonb", { p_details: '{"a":"\\u0000"}' }, /^22P05$/],
    ["lone surrogate in jsonb", { p_details: '{"a":"\\ud800"}' }, /^22P02$/],
    ["1 MB of details", { p_details: oneMegabyte }, /^23514$/],
    ["1 MB of changes", { p_changes: oneMegabyte }, /^23514$/],
    ["details that are no JSON", { p_details: "{" }, /^22P02$/],
    ["an unknown actor kind", { p_actor_kind: "robot" }, /^23514$/],
    ["a user without a name", { p_actor_kind: "user" }, /^23514$/],
    ["an impersonator of nobody", { p_impersonator_id: "boss" }, /^23514$/],
    [
      "an impersonator beside a plain user",
      { p_actor_id: "u", p_actor_kind: "user", p_impersonator_id: "boss" },
      /^23514$/,
    ],
    ["time infinity", { occurredAt: "infinity" }, /^22/],
    ["time -infinity", { occurredAt: "-infinity" }, /^22/],
    ["a time before 1970", { occurredAt: "1969-12-31" }, /^22008$/],
    ["a v4 id", { id: "3b241101-e2bb-4255-8caf-4136c566a962" }, /^22023$/],
    ["the nil id", { id: "00000000-0000-0000-0000-000000000000" }, /^22023$/],
    ["an id that is no uuid", { id: "42" }, /^22P02$/],
    [
      "an id that contradicts the time",
      { id: "01a1fc2f-3714-7a0c-9a63-837cdb787e01", occurredAt: "2026-11-01Z" },
      /^22023$/,
    ],
    ["an address that is none", { p_ip_address: "localhost" }, /^22P02$/],
    ["an organisation that is no uuid", { organisation: "hlf" }, /^22P02$/],
    ["no organisation", { organisation: null }, /^23502$/],
    ["no action", { action: null }, /^23502$/],
    ["an empty action", { action: "" }, /^23514$/],
    ["a long action", { action: "x".repeat(201) }, /^23514$/],
    ["a long entity type", { p_entity_type: "x".repeat(201) }, /^23514$/],
    ["a long entity id", { p_entity_type: "t", p_entity_id: "x".repeat(501) }, /^23514$/],
    ["an entity id without a type", { p_entity_id: "1" }, /^23514$/],
    ["a long actor id", { p_actor_id: "x".repeat(256) }, /^23514$/],
    ["a long user agent", { p_user_agent: "x".repeat(1001) }, /^23514$/],
    ["a long request id", { p_request_id: "x".repeat(201) }, /^23514$/],
    ["a long trace id", { p_trace_id: "x".repeat(201) }, /^23514$/],
  ];

  test.each(cases)("%s", async (_name, event, code) => {
    const before = await entries();
    expect(await sqlstate(database.as("service", (client) => record(client, event)))).toMatch(code);
    expect(await entries()).toBe(before);
  });

  test("a lone surrogate in text does not survive the driver, and what arrives is stored as it arrived", async () => {
    const { rows } = await database.as("service", (client) =>
      record(client, { action: "a\ud800b" }),
    );
    expect(await entries("id = $1 and action = U&'a\\FFFDb'", [rows[0]?.id])).toBe(1);
  });
});

describe("who may record", () => {
  test.each(["anon", "peerMentorA", "coordinatorA", "orgAdminA", "auditor"] as const)(
    "%s may not",
    async (persona) => {
      expect(await sqlstate(database.as(persona, (client) => record(client, {})))).toBe("42501");
      expect(
        await sqlstate(
          database.as(persona, (client) =>
            client.query(
              "insert into public.audit_log (organisation_id, action) values ($1, 'a')",
              [ids.organisationA],
            ),
          ),
        ),
      ).toBe("42501");
      expect(
        await sqlstate(
          database.as(persona, (client) =>
            client.query("select public.prepare_audit_backfill('audit_log', now())"),
          ),
        ),
      ).toBe("42501");
    },
  );

  test("the database, not the writer, says who wrote and when", async () => {
    const { rows } = await database.as("service", (client) => record(client, {}));
    const found = await database.superuser.query(
      "select database_role, era, erasure_salt is not null as salted, recorded_at - occurred_at < interval '1 minute' as timely from public.audit_log where id = $1",
      [rows[0]?.id],
    );
    expect(found.rows).toEqual([
      { database_role: "service_role", era: 0, salted: true, timely: true },
    ]);
  });
});

describe("whatever is recorded is read back unchanged", () => {
  const text = fc
    .string({ unit: "grapheme", maxLength: 60 })
    .filter((value) => !value.includes("\u0000") && !/\p{Surrogate}/u.test(value));
  const json = fc
    .jsonValue({ stringUnit: "grapheme" })
    .filter((value) => !/\\u0000|\\ud[89a-f]/i.test(JSON.stringify(value)));

  test("for every event", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          p_entity_type: text.filter((value) => value !== ""),
          p_entity_id: text,
          p_actor_id: text,
          p_user_agent: text,
          p_details: json,
        }),
        async ({ p_details, ...texts }) => {
          const { rows } = await database.as("service", (client) =>
            record(client, { ...texts, p_details: JSON.stringify(p_details) }),
          );
          const found = await database.superuser.query(
            `select entity_type as p_entity_type, entity_id as p_entity_id, actor_id as p_actor_id, user_agent as p_user_agent,
               details = $2::jsonb as same from public.audit_log where id = $1`,
            [rows[0]?.id, JSON.stringify(p_details)],
          );
          expect(found.rows).toEqual([{ ...texts, same: true }]);
        },
      ),
      { numRuns: 60 },
    );
  });
});
