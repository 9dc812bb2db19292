import type pg from "pg";
import { beforeAll, describe, expect, test } from "vitest";
import {
  eachPage,
  ids,
  type PersonaName,
  type Row,
  sqlstate,
  useDatabase,
} from "../harness/index.js";

const database = useDatabase();
const changes = 25;

/** The history of a row. */
async function history(
  client: pg.ClientBase,
  organisation: string | null,
  { type = "public.licence", id = "1", page = 1, size = 50, cursor = null as string | null } = {},
): Promise<Row[]> {
  const { rows } = await client.query<Row>(
    `select * from public.get_entity_history($1, $2, $3, p_page => $4, p_page_size => $5,
       p_cursor => $6)`,
    [type, id, organisation, page, size, cursor],
  );
  return rows;
}

const as = (persona: PersonaName, ...rest: [string | null, Parameters<typeof history>[2]?]) =>
  database.as(persona, (client) => history(client, ...rest), { readOnly: true });

beforeAll(async () => {
  await database.migrator.query(`
    create table public.licence (id int primary key, org uuid, n int);
    create table public.platform_setting (id int primary key);
    grant select, insert, update, delete on public.licence, public.platform_setting to service_role`);
  await database.migrator.query(
    "select pgtrail.track('public.licence', organisation_column => 'org')",
  );
  await database.migrator.query("select pgtrail.track('public.platform_setting')");
  await database.as("service", async (client) => {
    await client.query("insert into public.licence values (1, $1, 0), (2, $1, 0), (3, $2, 0)", [
      ids.organisationA,
      ids.organisationB,
    ]);
    for (let n = 1; n < changes; n++) {
      await client.query("update public.licence set n = $1", [n]);
    }
    await client.query("insert into public.platform_setting values (1)");
    // The same key, of another type of thing.
    await client.query(
      "select public.record_audit_event($1, 'badge.awarded', 'badge', '1', 'ada')",
      [ids.organisationA],
    );
  });
});

describe("paging", () => {
  test("with the cursor: every entry of the row once, the newest first", async () => {
    const pages: Row[][] = [];
    for await (const page of eachPage((cursor) =>
      as("coordinatorA", ids.organisationA, { size: 10, cursor }),
    )) {
      pages.push(page);
    }
    expect(pages.map((page) => page.length)).toEqual([10, 10, 5]);
    const rows = pages.flat();
    expect(rows.map(({ action, changes }) => [action, (changes as { n: unknown }).n])).toEqual([
      ...Array.from({ length: changes - 1 }, (_, i) => [
        "licence.updated",
        { old: changes - 2 - i, new: changes - 1 - i },
      ]),
      ["licence.inserted", { new: 0 }],
    ]);
    expect(rows.every((row) => row.entity_type === "public.licence" && row.entity_id === "1")).toBe(
      true,
    );
  });

  test("by number: the same pages", async () => {
    const all = await as("coordinatorA", ids.organisationA);
    const numbered = [];
    for (const page of [1, 2, 3, 4]) {
      numbered.push(...(await as("coordinatorA", ids.organisationA, { page, size: 10 })));
    }
    expect(numbered.map(({ id }) => id)).toEqual(all.map(({ id }) => id));
  });

  test("what is recorded meanwhile does not move the pages of a cursor", async () => {
    const first = await as("coordinatorB", ids.organisationB, { id: "3", size: 5 });
    const all = await as("coordinatorB", ids.organisationB, { id: "3" });
    await database.as("service", (client) =>
      client.query("update public.licence set n = -1 where id = 3"),
    );
    const cursor = first.at(-1)?.next_page ?? null;
    const second = await as("coordinatorB", ids.organisationB, { id: "3", size: 5, cursor });
    expect([...first, ...second].map(({ id }) => id)).toEqual(all.slice(0, 10).map(({ id }) => id));
  });

  test("it has the rows and columns of get_audit_log", async () => {
    const found = await as("coordinatorA", ids.organisationA);
    const { rows } = await database.as("coordinatorA", (client) =>
      client.query(
        "select * from public.get_audit_log($1, p_entity_type => 'public.licence', p_entity_id => '1')",
        [ids.organisationA],
      ),
    );
    expect(found).toEqual(rows);
    expect(found).toHaveLength(changes);
  });

  test("a row that nobody changed has no history", async () => {
    expect(await as("coordinatorA", ids.organisationA, { id: "4711" })).toEqual([]);
    expect(await as("coordinatorA", ids.organisationA, { type: "public.nothing" })).toEqual([]);
  });
});

describe("who reads", () => {
  const { organisationA, organisationB, platformOrganisation } = ids;

  test.each<[PersonaName, string, "entries" | "42501"]>([
    ["coordinatorA", organisationA, "entries"],
    ["chapterAdminA", organisationA, "entries"],
    ["orgAdminA", organisationA, "entries"],
    ["coordinatorOfBoth", organisationA, "entries"],
    ["coordinatorOfBoth", organisationB, "entries"],
    ["coordinatorB", organisationB, "entries"],
    ["auditor", organisationA, "entries"],
    ["auditor", organisationB, "entries"],
    ["auditor", platformOrganisation, "entries"],
    ["service", organisationA, "entries"],
    ["coordinatorA", organisationB, "42501"],
    ["coordinatorA", platformOrganisation, "42501"],
    ["orgAdminA", platformOrganisation, "42501"],
    ["coordinatorB", organisationA, "42501"],
    ["peerMentorA", organisationA, "42501"],
    ["outsider", organisationA, "42501"],
    ["anon", organisationA, "42501"],
  ])("%s, of organisation %s: %s", async (persona, organisation, outcome) => {
    const [type, id] =
      organisation === platformOrganisation
        ? ["public.platform_setting", "1"]
        : ["public.licence", organisation === organisationA ? "1" : "3"];
    const found = as(persona, organisation, { type, id });
    if (outcome === "42501") expect(await sqlstate(found)).toBe(outcome);
    else expect(await found).not.toEqual([]);
  });

  test("of a row of another organisation, nothing under one's own", async () => {
    expect(await as("coordinatorA", organisationA, { id: "3" })).toEqual([]);
  });

  test("of a row that moved to another organisation, each its own part", async () => {
    await database.as("service", async (client) => {
      await client.query("insert into public.licence values (9, $1, 1)", [organisationA]);
      await client.query("update public.licence set org = $1 where id = 9", [organisationB]);
      await client.query("update public.licence set n = 2 where id = 9");
    });
    const actions = async (persona: PersonaName, organisation: string) =>
      (await as(persona, organisation, { id: "9" })).map(({ action }) => action);
    expect(await actions("coordinatorA", organisationA)).toEqual(["licence.inserted"]);
    expect(await actions("coordinatorB", organisationB)).toEqual([
      "licence.updated",
      "licence.updated",
    ]);
  });
});

describe("refusals", () => {
  test.each<[string, string, string]>([
    ["22023", "null, '1', $1", "public.certifications"],
    ["22023", "'public.licence', null, $1", "public.certifications"],
    ["22023", "'public.licence', '1', null", ""],
    ["22023", "'public.licence', '1', $1, p_page_size => 0", ""],
    ["22023", "'public.licence', '1', $1, p_page_size => 201", ""],
    ["22023", "'public.licence', '1', $1, p_page => 0", ""],
    ["22P02", "'public.licence', '1', $1, p_cursor => 'any'", ""],
  ])("%s for (%s)", async (code, call, hint) => {
    const query = database.as("coordinatorA", (client) =>
      client.query(
        `select from public.get_entity_history(${call.replace("$1", `'${ids.organisationA}'`)})`,
      ),
    );
    await expect(query).rejects.toMatchObject({ code, hint: expect.stringContaining(hint) });
  });

  test("a cursor of the history of another row, or altered", async () => {
    const page = await as("coordinatorA", ids.organisationA, { size: 5 });
    const cursor = page.at(-1)?.next_page as string;
    expect(await as("coordinatorA", ids.organisationA, { size: 5, cursor })).toHaveLength(5);
    for (const [persona, organisation, query] of [
      ["coordinatorA", ids.organisationA, { id: "2", cursor }],
      ["coordinatorA", ids.organisationA, { type: "public.other", cursor }],
      ["coordinatorOfBoth", ids.organisationB, { cursor }],
      ["coordinatorA", ids.organisationA, { cursor: `${cursor}x` }],
    ] as const) {
      expect(await sqlstate(as(persona, organisation, query))).toBe("22P02");
    }
  });
});
