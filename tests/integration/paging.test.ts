import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import {
  type Entry,
  eachPage,
  type Filters,
  getPage,
  insertEntries,
  newCoordinator,
  newOrganisation,
  type Persona,
  prepareBackfill,
  type Row,
  sqlstate,
  type TrailName,
  trailNames,
  trailOf,
  useDatabase,
} from "../harness/index.js";

const database = useDatabase();

beforeAll(() => prepareBackfill(database, "2025-09-01"));

const uuids = ["f0000000-0000-4000-8000-000000000001", "f0000000-0000-4000-8000-000000000002"];

/** Values of the columns by which each trail can be filtered. */
const columns: Record<TrailName, fc.Arbitrary<Entry>> = {
  audit_log: fc
    .record({
      actor_id: fc.constantFrom(null, "ada", "bo"),
      action: fc.constantFrom("badge.awarded", "badge.revoked"),
      entity_type: fc.constantFrom(null, "badge", "mentor"),
      entity_id: fc.constantFrom(null, "b1", "b2"),
    })
    .map((entry) => ({
      ...entry,
      actor_kind: entry.actor_id ? "user" : "service",
      // An id of nothing is refused.
      entity_id: entry.entity_type && entry.entity_id,
    })),
  hlf_sync_audit_log: fc.record({
    mentor_id: fc.constantFrom(...uuids),
    outcome: fc.constantFrom("success", "retryable_failure", "dead_letter"),
  }),
  coordinator_acknowledgement_audit: fc.record({ coordinator_id: fc.constantFrom(...uuids) }),
  badge_evaluation_logs: fc.record({ peer_mentor_id: fc.constantFrom(...uuids) }),
};

// 10 ms before the end of a month: pages cross a partition. Few milliseconds: many events share one.
const at = (ms: number) => new Date(Date.parse("2025-10-31T23:59:59.990Z") + ms).toISOString();
const time = fc.integer({ min: 0, max: 20 }).map(at);

async function newTenant(): Promise<{ organisation: string; coordinator: Persona }> {
  const organisation = await newOrganisation(database);
  return { organisation, coordinator: await newCoordinator(database, organisation) };
}

function insert(trail: TrailName, organisation: string, entries: readonly Entry[]) {
  return database.as("service", (client) => insertEntries(client, trail, organisation, entries));
}

function page(
  persona: Persona,
  trail: TrailName,
  organisation: string | null,
  filters: Filters = {},
): Promise<Row[]> {
  return database.as(persona, (client) => getPage(client, trail, organisation, filters), {
    readOnly: true,
  });
}

describe.each(trailNames)("cursor laws of %s", (trail) => {
  const entry = fc.tuple(columns[trail], time).map(([values, at]): Entry => ({ ...values, at }));
  const filters = fc
    .tuple(
      columns[trail],
      fc.subarray(Object.entries(trailOf(trail).filters)),
      fc.record({ p_from_date: time, p_to_date: time }, { requiredKeys: [] }),
    )
    .map(
      ([values, chosen, dates]): Filters => ({
        ...dates,
        ...Object.fromEntries(chosen.map(([filter, column]) => [filter, values[column]])),
      }),
    );
  const matches = (entry: Entry, filters: Filters) =>
    Object.entries(trailOf(trail).filters).every(
      ([filter, column]) => filters[filter] == null || entry[column] === filters[filter],
    ) &&
    (filters.p_from_date == null || String(entry.at) >= filters.p_from_date) &&
    (filters.p_to_date == null || String(entry.at) < filters.p_to_date);

  test("pages concatenated are the whole order: no duplicate, no gap, while inserts go on", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(entry, { maxLength: 40 }),
        fc.array(entry, { minLength: 1, maxLength: 6 }),
        filters,
        fc.integer({ min: 1, max: 12 }),
        async (entries, late, filters, size) => {
          const { organisation, coordinator } = await newTenant();
          const recorded = await insert(trail, organisation, entries);
          const wanted = recorded
            .filter((_, i) => matches(entries[i] as Entry, filters))
            .sort()
            .reverse();

          const pages: Row[][] = [];
          const waiting = [...late];
          for await (const rows of eachPage((cursor) =>
            page(coordinator, trail, organisation, {
              ...filters,
              p_page_size: size,
              p_cursor: cursor,
            }),
          )) {
            pages.push(rows);
            await insert(trail, organisation, waiting.splice(0, 1));
          }

          const seen = pages.flat().map((row) => row.id);
          expect(seen).toEqual([...seen].sort().reverse());
          expect(new Set(seen).size).toBe(seen.length);
          expect(seen.filter((id) => recorded.includes(id))).toEqual(wanted);
          for (const page of pages.slice(0, -1)) {
            expect(page).toHaveLength(size);
          }
          for (const page of pages) {
            expect(page.slice(0, -1).every((row) => row.next_page === null)).toBe(true);
          }
        },
      ),
      { numRuns: 40 },
    );
  });

  test("numbered pages and cursor pages are the same pages", async () => {
    const { organisation, coordinator } = await newTenant();
    await insert(
      trail,
      organisation,
      Array.from({ length: 25 }, (_, n) => ({ at: at(n % 21) })),
    );
    const numbered: Row[][] = [];
    for (const number of [1, 2, 3, 4, 5]) {
      numbered.push(
        await page(coordinator, trail, organisation, { p_page: number, p_page_size: 8 }),
      );
    }
    const followed: Row[][] = [];
    for await (const rows of eachPage((cursor) =>
      page(coordinator, trail, organisation, { p_page_size: 8, p_cursor: cursor }),
    )) {
      followed.push(rows);
    }
    expect(numbered.map((rows) => rows.length)).toEqual([8, 8, 8, 1, 0]);
    expect(numbered.slice(0, 4)).toEqual(followed);
  });
});

describe.each(trailNames)("a cursor of %s belongs to its query", (trail) => {
  const { filters: filterColumns, sample } = trailOf(trail);
  const [[filter, column], ...otherFilters] = Object.entries(filterColumns) as [
    [string, string],
    ...[string, string][],
  ];
  const filters: Filters = { [filter]: sample[column] };
  let here: string;
  let elsewhere: string;
  let coordinator: Persona;
  /** Made with the filter, and without one. */
  let filtered: string;
  let unfiltered: string;

  beforeAll(async () => {
    here = await newOrganisation(database);
    elsewhere = await newOrganisation(database);
    coordinator = await newCoordinator(database, here, elsewhere);
    for (const organisation of [here, elsewhere]) {
      await insert(
        trail,
        organisation,
        [0, 1, 2, 3, 4].map((ms) => ({ at: at(ms) })),
      );
    }
    const [first] = await page(coordinator, trail, here, { ...filters, p_page_size: 1 });
    filtered = first?.next_page as string;
    const [same] = await page(coordinator, trail, here, { p_page_size: 1 });
    unfiltered = same?.next_page as string;
  });

  test("it works there, with another page size too", async () => {
    const read = { ...filters, p_page_size: 3, p_cursor: filtered };
    expect(await page(coordinator, trail, here, read)).toHaveLength(3);
  });

  test("used in another organisation it is 22P02", async () => {
    const read = { ...filters, p_cursor: filtered };
    expect(await sqlstate(page(coordinator, trail, elsewhere, read))).toBe("22P02");
  });

  const others: Array<[string, Filters]> = [
    ["without the filter", {}],
    ["with another value", { [filter]: uuids[0] }],
    ["with another period", { ...filters, p_from_date: "2025-10-01" }],
    ["with another end", { ...filters, p_to_date: "2026-01-01" }],
    ...otherFilters.map(([more, column]): [string, Filters] => [
      `with ${more} as well`,
      { ...filters, [more]: sample[column] },
    ]),
    ...otherFilters
      .filter(([more]) => more !== "p_outcome")
      .map(([more]): [string, Filters] => [
        `with the same value in ${more}`,
        { [more]: sample[column] },
      ]),
  ];
  test.each(others)("used %s it is 22P02", async (_name, other) => {
    const read = { ...other, p_cursor: filtered };
    expect(await sqlstate(page(coordinator, trail, here, read))).toBe("22P02");
  });

  test("made without a filter and used with one it is 22P02", async () => {
    const read = { ...filters, p_cursor: unfiltered };
    expect(await sqlstate(page(coordinator, trail, here, read))).toBe("22P02");
  });

  test.each(trailNames.filter((other) => other !== trail))(
    "used for %s it is 22P02",
    async (other) => {
      const read = { p_cursor: unfiltered };
      expect(await page(coordinator, trail, here, read)).toHaveLength(4);
      expect(await sqlstate(page(coordinator, other, here, read))).toBe("22P02");
    },
  );

  test("altered in any character it is 22P02", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat({ max: 31 }),
        fc.constantFrom(..."ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/=é"),
        async (position, character) => {
          fc.pre(filtered[position] !== character);
          const altered = filtered.slice(0, position) + character + filtered.slice(position + 1);
          const read = { ...filters, p_cursor: altered };
          expect(await sqlstate(page(coordinator, trail, here, read))).toBe("22P02");
        },
      ),
      { numRuns: 40 },
    );
  });

  test.each(["", " ", "x", "null", "'; drop table audit_log; --"])("%j is 22P02", async (text) => {
    expect(await sqlstate(page(coordinator, trail, here, { p_cursor: text }))).toBe("22P02");
  });
});

describe.each(trailNames)("bad arguments of %s", (trail) => {
  let organisation: string;
  let coordinator: Persona;
  beforeAll(async () => {
    ({ organisation, coordinator } = await newTenant());
  });

  const cases: Array<[string, Filters]> = [
    ["page size 0", { p_page_size: 0 }],
    ["page size 201", { p_page_size: 201 }],
    ["page size null", { p_page_size: null }],
    ["a negative page size", { p_page_size: -1 }],
    ["page 0", { p_page: 0 }],
    ["page null", { p_page: null }],
    ["a negative page", { p_page: -3 }],
    ["page and cursor at once", { p_page: 2, p_cursor: "x" }],
  ];
  test.each(cases)("%s: 22023", async (_name, filters) => {
    expect(await sqlstate(page(coordinator, trail, organisation, filters))).toBe("22023");
  });

  test("no organisation: 22023", async () => {
    expect(await sqlstate(page(coordinator, trail, null))).toBe("22023");
  });

  test.each([{ p_page_size: 1 }, { p_page_size: 200 }, { p_page: 2147483647, p_page_size: 200 }])(
    "%j is accepted",
    async (filters) => {
      expect(await page(coordinator, trail, organisation, filters)).toEqual([]);
    },
  );
});
