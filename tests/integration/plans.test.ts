import { beforeAll, describe, expect, test } from "vitest";
import {
  type Filters,
  getPage,
  ids,
  newCoordinator,
  newOrganisation,
  type Persona,
  type PersonaName,
  type Plan,
  type TrailName,
  trailNames,
  trailOf,
  useDatabase,
} from "../harness/index.js";
import { explain } from "../harness/plans.js";

const database = useDatabase();

/** SQL of the columns of the n-th entry of a month: what is filtered by is rare. */
const columns: Record<TrailName, Record<string, string>> = {
  audit_log: {
    actor_id: "'actor-' || n % 500",
    actor_kind: "'user'",
    action: "'a'",
    entity_type: "'badge'",
    entity_id: "'badge-' || n % 2000",
  },
  hlf_sync_audit_log: {
    mentor_id: "md5((n % 500)::text)::uuid",
    sync_direction: "'remove'::public.sync_direction",
    outcome: `(case when n % 100 < 2 then 'dead_letter' when n % 100 < 4 then 'retryable_failure'
      else 'success' end)::public.sync_outcome`,
    source: "'nightly_batch'::public.sync_source",
  },
  coordinator_acknowledgement_audit: {
    coordinator_id: "md5((n % 200)::text)::uuid",
    mentor_id: "md5((n % 500)::text)::uuid",
    certificate_type: "'first_aid'",
    threshold_tier: "'urgent_7'::public.threshold_tier",
  },
  badge_evaluation_logs: {
    peer_mentor_id: "md5((n % 500)::text)::uuid",
    duration_ms: "12",
  },
};

/** md5('4') as a UUID: one of the mentors and coordinators above. */
const someone = "a87ff679-a2f3-e71d-9181-a67b7542122c";

/** Months that have entries; the first came after the last ANALYZE. */
const filled = ["2026_08", "2026_09", "2026_10"];

/** An organisation with 1 of 1000 entries; A and B share the others. */
let small: { organisation: string; coordinator: Persona };
/** Index of a trail by the name of the index of a partition. */
let indexes: Map<string, string>;

beforeAll(async () => {
  const organisation = await newOrganisation(database);
  small = { organisation, coordinator: await newCoordinator(database, organisation) };

  for (const trail of trailNames) {
    const insert = (month: string, entries: number) =>
      database.superuser.query(
        `insert into public.${trail} (id, ${trailOf(trail).organisationColumn}, ${Object.keys(columns[trail]).join(", ")})
         select pgtrail.uuid7($4::timestamptz + n * interval '50 seconds'),
           case when n % 1000 = 503 then $1 when (n / 7) % 2 = 0 then $2 else $3 end::uuid,
           ${Object.values(columns[trail]).join(", ")}
         from generate_series(1, $5::int) as n`,
        [organisation, ids.organisationA, ids.organisationB, `${month}-01Z`, entries],
      );
    await database.superuser.query("select pgtrail.ensure_partitions($1, '2026-08-01Z', now())", [
      `public.${trail}`,
    ]);
    await insert("2026-10", 40_000);
    await insert("2026-09", 20_000);
    await database.superuser.query(`vacuum analyze public.${trail}`);
    await insert("2026-08", 20_000);
  }

  const { rows } = await database.superuser.query<{ child: string; parent: string }>(
    `select child.relname as child, parent.relname as parent
     from pg_inherits
     join pg_class as child on child.oid = inhrelid
     join pg_class as parent on parent.oid = inhparent
     where parent.relkind = 'I'`,
  );
  indexes = new Map(rows.map(({ child, parent }) => [child, parent]));
});

const plansOf = (
  trail: TrailName,
  filters: Filters,
  persona: Persona | PersonaName = "coordinatorA",
  organisation: string = ids.organisationA,
): Promise<Plan[]> =>
  database.plansAs(persona, (client) => getPage(client, trail, organisation, filters));

interface Scan {
  /** Index of the trail, or the type of a scan without one. */
  by: string;
  month: string;
  /** Rows that were read, whether they were wanted or not. */
  rows: number;
}

/** Scans of a trail that ran. */
function scansOf(trail: TrailName, plans: Plan[]): Scan[] {
  return plans
    .flatMap((plan) => plan.nodes)
    .filter((node) => node["Relation Name"]?.startsWith(trail) && node["Actual Loops"] > 0)
    .map((node) => ({
      by: indexes.get(String(node["Index Name"])) ?? node["Node Type"],
      month: String(node["Relation Name"]).slice(trail.length + 1),
      rows:
        (node["Actual Rows"] + Number(node["Rows Removed by Filter"] ?? 0)) * node["Actual Loops"],
    }));
}

async function scans(trail: TrailName, filters: Filters): Promise<Scan[]> {
  return scansOf(trail, await plansOf(trail, filters));
}

/** The index on (organisation, id). */
const byOrganisation = (trail: TrailName) =>
  trail === "badge_evaluation_logs" ? "idx_eval_logs_org" : `${trail}_organisation_id_id_idx`;

/** Each filter, and the index that serves it. */
const filterIndexes: Record<TrailName, Array<[Filters, string]>> = {
  audit_log: [
    [{ p_actor_id: "actor-4" }, "audit_log_organisation_id_actor_id_id_idx"],
    [
      { p_entity_type: "badge", p_entity_id: "badge-4" },
      "audit_log_organisation_id_entity_type_entity_id_id_idx",
    ],
    [{ p_action: "a" }, "audit_log_organisation_id_id_idx"],
  ],
  hlf_sync_audit_log: [
    [{ p_mentor_id: someone }, "hlf_sync_audit_log_organisation_id_mentor_id_id_idx"],
    [{ p_outcome: "dead_letter" }, "hlf_sync_audit_log_organisation_id_id_failed_idx"],
    [{ p_outcome: "retryable_failure" }, "hlf_sync_audit_log_organisation_id_id_failed_idx"],
    [{ p_outcome: "success" }, "hlf_sync_audit_log_organisation_id_id_idx"],
  ],
  coordinator_acknowledgement_audit: [
    [{ p_coordinator_id: someone }, "coordinator_acknowledgement_audit_coordinator_id_id_idx"],
  ],
  badge_evaluation_logs: [[{ p_peer_mentor_id: someone }, "idx_eval_logs_mentor"]],
};

describe.each(trailNames)("a page of %s, as authenticated under row level security", (trail) => {
  const times: Array<[string, string, string]> = [
    ["near the top", "2026-10-23Z", "2026_10"],
    ["in the middle of the month", "2026-10-12Z", "2026_10"],
    ["deep", "2026-09-07Z", "2026_09"],
  ];
  test.each(times)(
    "%s reads one page from the index of its month, then looks up its entries",
    async (_name, time, month) => {
      const [last] = await database.as("coordinatorA", (client) =>
        getPage(client, trail, ids.organisationA, { p_to_date: time, p_page_size: 1 }),
      );
      const page = { p_to_date: time, p_cursor: last?.next_page as string };
      expect(await scans(trail, page)).toEqual([
        { by: byOrganisation(trail), month, rows: 51 },
        { by: `${trail}_pkey`, month, rows: 50 },
      ]);
    },
  );

  test("that its month fills is planned for no other partition", async () => {
    const plans = await plansOf(trail, { p_to_date: "2026-10-12Z" });
    const search = plans.filter((plan) =>
      scansOf(trail, [plan]).some((scan) => scan.by === byOrganisation(trail)),
    );
    const relations = search
      .flatMap((plan) => plan.nodes)
      .map((node) => node["Relation Name"])
      .filter((name) => name?.startsWith(trail));
    expect(relations).toEqual([`${trail}_2026_10`]);
  });

  test("the newest page reads no more rows from filled partitions", async () => {
    const found = await scans(trail, {});
    expect(found.filter((scan) => scan.rows > 0)).toEqual([
      { by: byOrganisation(trail), month: "2026_10", rows: 51 },
      { by: `${trail}_pkey`, month: "2026_10", rows: 50 },
    ]);
  });

  test("a page of a small organisation reads its entries alone", async () => {
    const { organisation, coordinator } = small;
    const plans = await plansOf(trail, { p_to_date: "2026-10-24Z" }, coordinator, organisation);
    const found = scansOf(trail, plans).filter((scan) => scan.rows > 0);
    // Less than a page: it takes all months.
    expect(found.filter((scan) => scan.by !== `${trail}_pkey`)).toEqual([
      { by: byOrganisation(trail), month: "2026_10", rows: 40 },
      { by: byOrganisation(trail), month: "2026_09", rows: 11 },
    ]);
    const lookedUp = found.filter((scan) => scan.by === `${trail}_pkey`);
    expect(lookedUp.map((scan) => scan.rows).sort()).toEqual([10, 40]);
  });

  test("a page of a small organisation in a month without statistics reads its entries alone", async () => {
    const { organisation, coordinator } = small;
    const plans = await plansOf(trail, { p_to_date: "2026-08-12Z" }, coordinator, organisation);
    expect(scansOf(trail, plans).filter((scan) => scan.rows > 0)).toEqual([
      { by: byOrganisation(trail), month: "2026_08", rows: 19 },
      { by: `${trail}_pkey`, month: "2026_08", rows: 19 },
    ]);
  });

  test.each(
    filterIndexes[trail].map(
      ([filters, index]) => [JSON.stringify(filters), filters, index] as const,
    ),
  )("filtered by %s reads little else, by the index for it", async (_name, filters, index) => {
    const page = { ...filters, p_to_date: "2026-10-24Z", p_page_size: 10 };
    const [first, ...others] = await scans(trail, page);
    expect(first).toMatchObject({ by: index, month: "2026_10" });
    expect(first?.rows).toBeGreaterThanOrEqual(11);
    // Failures of two kinds, and mentors of two organisations, share an index.
    expect(first?.rows).toBeLessThanOrEqual(3 * 11);
    expect(others).toEqual([{ by: `${trail}_pkey`, month: "2026_10", rows: 10 }]);
  });

  test("no filled partition is scanned sequentially, whatever the filter", async () => {
    const every = Object.assign({}, ...filterIndexes[trail].map(([filters]) => filters));
    const pages: Filters[] = [
      {},
      every,
      ...filterIndexes[trail].map(([filters]) => filters),
      ...filterIndexes[trail].map(([filters]) => ({ ...filters, p_page: 20 })),
      ...Object.keys(trailOf(trail).filters)
        .filter((filter) => filter !== "p_outcome")
        .map((filter) => ({ [filter]: "00000000-0000-4000-8000-000000000000" })),
      { p_from_date: "2026-10-05Z", p_to_date: "2026-10-06Z" },
      { p_to_date: "2026-09-01Z" },
      { p_page: 300 },
      { p_page: 30, p_page_size: 200 },
    ];
    for (const page of pages) {
      // A partition without entries may be scanned as it likes.
      const found = (await scans(trail, page)).filter((scan) => filled.includes(scan.month));
      expect(found.length, JSON.stringify(page)).toBeGreaterThan(0);
      for (const scan of found) expect(scan.by, JSON.stringify(page)).toMatch(/_idx$|_pkey$|^idx_/);
    }
  });

  test.each([1, 200])("of %i rows asks for memberships once a statement", async (size) => {
    const page = { p_to_date: "2026-10-24Z", p_page_size: size };
    const plans = await plansOf(trail, page);
    const asks = plans.filter((plan) =>
      plan.nodes.some((node) => node["Relation Name"] === "organisation_members"),
    );
    // The check of the caller, the page, and its entries.
    expect(asks).toHaveLength(3);
    const nodes = plans.flatMap((plan) => plan.nodes);
    const once = nodes.filter((node) => node["Parent Relationship"] === "InitPlan");
    expect(once.length).toBeGreaterThan(0);
    expect(once.every((node) => node["Actual Loops"] <= 1)).toBe(true);
  });
});

test("every index of the trails serves something", async () => {
  const used = new Set<string>();
  for (const trail of trailNames) {
    const note = (plans: Plan[]) => {
      for (const scan of scansOf(trail, plans)) used.add(scan.by);
    };
    note(await plansOf(trail, {}));
    for (const [filters] of filterIndexes[trail]) note(await plansOf(trail, filters));
    note(
      await explain(
        database.url(),
        async () => {},
        (client) => client.query("select pgtrail.seal(1000)"),
      ),
    );
  }
  const { rows } = await database.superuser.query<{ name: string }>(
    `select index.relname as name
     from pgtrail.trail
     join pg_index on indrelid = relation
     join pg_class as index on index.oid = indexrelid`,
  );
  expect(rows.map((row) => row.name).filter((name) => !used.has(name))).toEqual([]);
});
