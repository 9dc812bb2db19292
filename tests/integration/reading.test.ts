import type pg from "pg";
import { beforeAll, describe, expect, test } from "vitest";
import {
  type Entry,
  eachPage,
  type Filters,
  getPage,
  ids,
  insertEntries,
  newCoordinator,
  newOrganisation,
  type Persona,
  type PersonaName,
  prepareBackfill,
  type Row,
  sqlstate,
  type TrailName,
  trailNames,
  trailOf,
  uncaptured,
  useCluster,
  useDatabase,
} from "../harness/index.js";
import { seal } from "../harness/log.js";

// Sealing waits for every open transaction of a cluster: it has one of its own.
const cluster = useCluster({ fsync: "off" });
const database = useDatabase(cluster);

beforeAll(() => prepareBackfill(database, "2025-09-01"));

function insert(trail: TrailName, organisation: string, entries: readonly Entry[]) {
  return database.as("service", (client) => insertEntries(client, trail, organisation, entries));
}

function page(
  persona: Persona | PersonaName,
  trail: TrailName,
  organisation: string,
  filters: Filters = {},
): Promise<Row[]> {
  return database.as(persona, (client) => getPage(client, trail, organisation, filters), {
    readOnly: true,
  });
}

interface Bucket {
  bucket: string;
  entries: string;
}

function summary(
  persona: Persona | PersonaName,
  trail: TrailName,
  organisation: string,
  from: string | null = null,
  to: string | null = null,
): Promise<Bucket[]> {
  return database.as(
    persona,
    async (client) => {
      const { rows } = await client.query<Bucket>(
        "select * from public.get_audit_summary($1, $2, $3, $4)",
        [organisation, trail, from, to],
      );
      return rows;
    },
    { readOnly: true },
  );
}

const total = (buckets: Bucket[]) => buckets.reduce((sum, each) => sum + Number(each.entries), 0);

/** Every way to read a trail: how many entries of which organisation it gives, or the SQLSTATE of its refusal. */
async function readEveryWay(
  client: pg.ClientBase,
  trail: TrailName,
  organisations: Record<string, string>,
): Promise<Record<string, unknown>> {
  const { organisationColumn } = trailOf(trail);
  const names = new Map(Object.entries(organisations).map(([name, id]) => [id, name]));

  async function count(query: string, values: unknown[]): Promise<Record<string, number> | string> {
    await client.query("savepoint reading");
    try {
      const { rows } = await client.query<{ id: string; n: string }>(query, values);
      return Object.fromEntries(rows.map(({ id, n }) => [names.get(id) ?? id, Number(n)]));
    } catch (error) {
      return (error as pg.DatabaseError).code ?? String(error);
    } finally {
      await client.query("rollback to savepoint reading");
    }
  }

  async function call(query: string): Promise<Record<string, unknown>> {
    const outcomes: Record<string, unknown> = {};
    for (const [name, id] of Object.entries(organisations))
      outcomes[name] = await count(query, [id]);
    return outcomes;
  }

  return {
    select: await count(
      `select ${organisationColumn} as id, count(*) as n from public.${trail} where ${organisationColumn} = any ($1) group by 1`,
      [Object.values(organisations)],
    ),
    rollup: await count(
      "select organisation_id as id, sum(entries) as n from pgtrail.rollup where trail_name = $2 and unit = 'month' and organisation_id = any ($1) group by 1",
      [Object.values(organisations), trail],
    ),
    page: await call(
      `select ${organisationColumn} as id, count(*) as n from public.${trailOf(trail).rpc}($1) group by 1`,
    ),
    summary: await call(
      `select $1::uuid as id, sum(entries) as n from public.get_audit_summary($1, '${trail}')`,
    ),
    ...(trail === "hlf_sync_audit_log" && {
      syncSummary: await call(
        "select $1::uuid as id, sum(attempts) as n from public.get_hlf_sync_audit_summary($1)",
      ),
    }),
  };
}

describe("who reads what", () => {
  const organisations = {
    A: ids.organisationA,
    B: ids.organisationB,
    platform: ids.platformOrganisation,
  };
  type Name = keyof typeof organisations;
  const entries: Record<Name, number> = { A: 3, B: 2, platform: 1 };

  /** The organisations whose entries each persona reads. */
  const readable: Record<PersonaName, readonly Name[] | "refused"> = {
    coordinatorA: ["A"],
    chapterAdminA: ["A"],
    orgAdminA: ["A"],
    peerMentorA: [],
    coordinatorB: ["B"],
    coordinatorOfBoth: ["A", "B"],
    outsider: [],
    auditor: ["A", "B", "platform"],
    service: ["A", "B", "platform"],
    anon: "refused",
  };

  function expected(persona: PersonaName, trail: TrailName, sealed: boolean) {
    const seen = readable[persona];
    const rows =
      typeof seen === "string"
        ? "42501"
        : Object.fromEntries(seen.map((name) => [name, entries[name]]));
    const calls = Object.fromEntries(
      (Object.keys(organisations) as Name[]).map((name) => [
        name,
        seen.includes(name) ? { [name]: entries[name] } : "42501",
      ]),
    );
    return {
      select: rows,
      rollup: sealed || typeof rows === "string" ? rows : {},
      page: calls,
      summary: calls,
      ...(trail === "hlf_sync_audit_log" && { syncSummary: calls }),
    };
  }

  beforeAll(async () => {
    for (const trail of trailNames) {
      for (const name of Object.keys(organisations) as Name[]) {
        await insert(
          trail,
          organisations[name],
          Array.from({ length: entries[name] }, (_, n) => (n ? { at: `2025-1${n}-01Z` } : {})),
        );
      }
    }
  });

  describe.each([
    ["before sealing", false],
    ["after sealing", true],
  ])("%s", (_when, sealed) => {
    beforeAll(async () => {
      if (sealed) expect(await seal(database.superuser)).toBe(6 * trailNames.length);
    });

    describe.each(trailNames)("%s", (trail) => {
      test.each(Object.keys(readable) as PersonaName[])("%s", async (persona) => {
        const outcomes = await database.as(
          persona,
          (client) => readEveryWay(client, trail, organisations),
          { readOnly: true },
        );
        expect(outcomes).toEqual(expected(persona, trail, sealed));
      });
    });
  });
});

describe("a membership that is removed stops every way of reading with the next statement", () => {
  test.each(trailNames)("%s", async (trail) => {
    const organisation = await newOrganisation(database);
    const coordinator = await newCoordinator(database, organisation);
    const { sub } = coordinator.claims;
    await insert(trail, organisation, [{}, {}]);
    await seal(database.superuser);
    const rows = { organisation: 2 };
    const called = { organisation: rows };
    const refused = { organisation: "42501" };
    const sync = trail === "hlf_sync_audit_log";
    const allowed = {
      select: rows,
      rollup: rows,
      page: called,
      summary: called,
      ...(sync && { syncSummary: called }),
    };
    const denied = {
      select: {},
      rollup: {},
      page: refused,
      summary: refused,
      ...(sync && { syncSummary: refused }),
    };
    const changes = {
      "update public.organisation_members set role = 'peer_mentor' where user_id = $1": denied,
      "update public.organisation_members set role = 'org_admin' where user_id = $1": allowed,
      "delete from public.organisation_members where user_id = $1": denied,
    };

    await database.as(coordinator, async (client) => {
      const read = () => readEveryWay(client, trail, { organisation });
      expect(await read()).toEqual(allowed);
      for (const [change, expected] of Object.entries(changes)) {
        await uncaptured(database, change, [sub]);
        expect(await read(), change).toEqual(expected);
      }
    });
  });
});

describe("two organisations with the same ids never mix", () => {
  describe.each(trailNames)("%s", (trail) => {
    const { organisationColumn, filters, sample } = trailOf(trail);
    const everyFilter: Filters = Object.fromEntries(
      Object.entries(filters).map(([filter, column]) => [filter, sample[column] as string]),
    );
    const choices: Array<[string, Filters]> = [
      ["no filter", {}],
      ...Object.entries(everyFilter).map(([filter, value]): [string, Filters] => [
        filter,
        { [filter]: value ?? null },
      ]),
      ["every filter", everyFilter],
      [
        "every filter and a period",
        { ...everyFilter, p_from_date: "2025-10-01", p_to_date: "2025-12-01" },
      ],
    ];

    let here: string;
    let there: string;
    let coordinator: Persona;
    const recorded: Record<string, string[]> = {};

    beforeAll(async () => {
      here = await newOrganisation(database);
      there = await newOrganisation(database);
      // Member of both: nothing but the question tells them apart.
      coordinator = await newCoordinator(database, here, there);
      for (const [organisation, entries] of [
        [here, 7],
        [there, 5],
      ] as const) {
        // The same milliseconds too.
        const ofIt = Array.from({ length: entries }, (_, n) => ({
          at: new Date(Date.parse("2025-10-31T23:59:59.998Z") + Math.floor(n / 2)).toISOString(),
        }));
        const inserted = await insert(trail, organisation, ofIt);
        recorded[organisation] = inserted.sort().reverse();
      }
    });

    test.each(choices)("in rows, pages and cursors with %s", async (_name, chosen) => {
      for (const organisation of [here, there]) {
        const rows: Row[] = [];
        for await (const each of eachPage((cursor) =>
          page(coordinator, trail, organisation, { ...chosen, p_page_size: 2, p_cursor: cursor }),
        )) {
          rows.push(...each);
        }
        expect(rows.map((row) => row.id)).toEqual(recorded[organisation]);
        expect(new Set(rows.map((row) => row[organisationColumn]))).toEqual(
          new Set([organisation]),
        );
      }
    });

    test.each(choices)("and a cursor with %s is refused in the other", async (_name, chosen) => {
      const read = { ...chosen, p_page_size: 2 };
      const cursor = (await page(coordinator, trail, here, read)).at(-1)?.next_page as string;
      expect(await sqlstate(page(coordinator, trail, there, { ...read, p_cursor: cursor }))).toBe(
        "22P02",
      );
      for (const [, other] of choices.filter(([, other]) => other !== chosen)) {
        if (JSON.stringify(other) === JSON.stringify(chosen)) continue;
        expect(
          await sqlstate(page(coordinator, trail, here, { ...other, p_cursor: cursor })),
          JSON.stringify(other),
        ).toBe("22P02");
      }
    });

    test.each(["not sealed", "sealed"])("in summaries, %s", async (sealed) => {
      if (sealed === "sealed") await seal(database.superuser);
      expect(total(await summary(coordinator, trail, here))).toBe(7);
      expect(total(await summary(coordinator, trail, there))).toBe(5);
      // The last two milliseconds of October, where the period ends within an hour.
      const end = "2025-11-01T00:00:00Z";
      expect(total(await summary(coordinator, trail, here, null, end))).toBe(4);
      expect(total(await summary(coordinator, trail, there, null, end))).toBe(4);
      expect(total(await summary(coordinator, trail, here, end))).toBe(3);
      expect(total(await summary(coordinator, trail, there, end))).toBe(1);
    });
  });
});

describe.each(trailNames)("an organisation's own entries of %s", (trail) => {
  const { filters, sample, timeColumn } = trailOf(trail);

  test.each(Object.entries(filters))(
    "%s: of one %s, 3 here and 2 in another organisation, the coordinator gets 3",
    async (filter, column) => {
      const here = await newOrganisation(database);
      const there = await newOrganisation(database);
      const coordinator = await newCoordinator(database, here);
      const value = sample[column] as string;
      const other = column === "outcome" ? "success" : "f0000000-0000-4000-8000-000000000001";
      const ofIt = await insert(trail, here, [{}, {}, {}]);
      await insert(trail, there, [{}, {}]);
      await insert(trail, here, [{ [column]: other }]);

      const rows = await page(coordinator, trail, here, { [filter]: value });
      expect(rows.map((row) => row.id)).toEqual(ofIt.sort().reverse());
      expect(rows.map((row) => row[column])).toEqual([value, value, value]);
      expect(await page(coordinator, trail, here, { [filter]: other })).toHaveLength(1);
      expect(await page(coordinator, trail, here, { [filter]: null })).toHaveLength(4);
      expect(await sqlstate(page(coordinator, trail, there, { [filter]: value }))).toBe("42501");
    },
  );

  test("60 of them are a page of 50 and one of 10", async () => {
    const organisation = await newOrganisation(database);
    const coordinator = await newCoordinator(database, organisation);
    const recorded = await insert(trail, organisation, Array(60).fill({}));

    const first = await page(coordinator, trail, organisation);
    expect(first).toHaveLength(50);
    expect(first.slice(0, -1).every((row) => row.next_page === null)).toBe(true);
    const cursor = first.at(-1)?.next_page as string;
    expect(cursor).toMatch(/^[A-Za-z0-9_-]{32}$/);

    const second = await page(coordinator, trail, organisation, { p_cursor: cursor });
    expect(second).toHaveLength(10);
    expect(second.every((row) => row.next_page === null)).toBe(true);
    expect([...first, ...second].map((row) => row.id)).toEqual(recorded.sort().reverse());
  });

  describe("between dates are those of [from, to)", () => {
    const times = [
      "2025-10-10T12:00:00.000Z",
      "2025-10-10T12:00:00.001Z",
      "2025-10-31T23:59:59.999Z",
      "2025-11-01T00:00:00.000Z",
      "2025-11-20T08:30:00.000Z",
    ];
    let organisation: string;
    let coordinator: Persona;
    beforeAll(async () => {
      organisation = await newOrganisation(database);
      coordinator = await newCoordinator(database, organisation);
      await insert(
        trail,
        organisation,
        times.map((at) => ({ at })),
      );
    });

    const periods: Array<[from: string | null, to: string | null, times: string[]]> = [
      [null, null, times],
      ["2025-10-10T12:00:00.001Z", null, times.slice(1)],
      [null, "2025-10-10T12:00:00.001Z", times.slice(0, 1)],
      ["2025-10-10T12:00:00.000Z", "2025-11-20T08:30:00.000Z", times.slice(0, 4)],
      ["2025-10-10T12:00:00.0005Z", "2025-10-10T12:00:00.0015Z", times.slice(1, 2)],
      ["2025-10-01Z", "2025-11-01Z", times.slice(0, 3)],
      ["2025-11-01Z", "2025-12-01Z", times.slice(3)],
      ["2025-10-31T23:00Z", "2025-11-01T01:00Z", times.slice(2, 4)],
      ["2025-10-31T23:59:59.999Z", "2025-11-01T00:00:00.001Z", times.slice(2, 4)],
      ["2025-11-01T00:00+05:30", "2025-11-01T05:30+05:30", times.slice(2, 3)],
      ["2025-11-01Z", "2025-11-01Z", []],
      ["2025-12-01Z", "2025-10-01Z", []],
      ["-infinity", "infinity", times],
      ["infinity", null, []],
      [null, "-infinity", []],
      ["1960-01-01", "9999-01-01", times],
    ];

    describe.each(["not sealed", "sealed"])("%s", (sealed) => {
      beforeAll(async () => {
        if (sealed === "sealed") await seal(database.superuser);
      });

      test.each(periods)("[%s, %s)", async (from, to, wanted) => {
        const rows = await page(coordinator, trail, organisation, {
          p_from_date: from,
          p_to_date: to,
        });
        expect(rows.map((row) => (row[timeColumn] as Date).toISOString())).toEqual(
          [...wanted].reverse(),
        );
        expect(total(await summary(coordinator, trail, organisation, from, to))).toBe(
          wanted.length,
        );
      });
    });
  });
});

describe("what was recorded is what is read", () => {
  const job = "e0000000-0000-4000-8000-000000000002";
  const mentor = "e0000000-0000-4000-8000-000000000001";
  const badge = "e0000000-0000-4000-8000-000000000006";

  interface Scenario {
    name: string;
    call: string;
    arguments: Record<string, unknown>;
    /** Columns of the row; those not named must be null, but for id and times. */
    row: Record<string, unknown>;
    bucket: string;
  }

  const attempt = { p_mentor_id: mentor, p_sync_job_id: job };
  const attempted = { mentor_id: mentor, sync_job_id: job };
  const scenarios: Record<TrailName, Scenario[]> = {
    audit_log: [
      {
        name: "an event of a user",
        call: "record_audit_event",
        arguments: {
          p_action: "badge.awarded",
          p_entity_type: "badge",
          p_entity_id: badge,
          p_actor_id: "ada",
          p_changes: { level: { old: 1, new: 2 } },
          p_ip_address: "192.0.2.1",
        },
        row: {
          action: "badge.awarded",
          entity_type: "badge",
          entity_id: badge,
          actor_id: "ada",
          actor_kind: "user",
          database_role: "service_role",
          changes: { level: { old: 1, new: 2 } },
          ip_address: "192.0.2.1",
        },
        bucket: "badge.awarded",
      },
    ],
    hlf_sync_audit_log: [
      {
        name: "a success",
        call: "record_hlf_sync_attempt",
        arguments: {
          ...attempt,
          p_sync_direction: "remove",
          p_outcome: "success",
          p_source: "status_transition",
          p_portal_response_code: 200,
        },
        row: {
          ...attempted,
          sync_direction: "remove",
          outcome: "success",
          source: "status_transition",
          portal_response_code: 200,
          retry_count: 0,
        },
        bucket: "success",
      },
      {
        name: "a failure that will be tried again",
        call: "record_hlf_sync_attempt",
        arguments: {
          ...attempt,
          p_sync_direction: "remove",
          p_outcome: "retryable_failure",
          p_source: "nightly_batch",
          p_portal_response_code: 503,
          p_retry_count: 2,
        },
        row: {
          ...attempted,
          sync_direction: "remove",
          outcome: "retryable_failure",
          source: "nightly_batch",
          portal_response_code: 503,
          retry_count: 2,
          error_code: "portal.unavailable",
        },
        bucket: "retryable_failure",
      },
      {
        name: "a dead letter, forced by a person, to which the portal never answered",
        call: "record_hlf_sync_attempt",
        arguments: {
          ...attempt,
          p_sync_direction: "restore",
          p_outcome: "dead_letter",
          p_source: "force_sync",
          p_retry_count: 5,
          p_error_code: "portal.timeout",
          p_requested_by: "ada",
        },
        row: {
          ...attempted,
          sync_direction: "restore",
          outcome: "dead_letter",
          source: "force_sync",
          retry_count: 5,
          error_code: "portal.timeout",
          requested_by: "ada",
        },
        bucket: "dead_letter",
      },
    ],
    coordinator_acknowledgement_audit: [
      {
        name: "an acknowledgement",
        call: "record_acknowledgement",
        arguments: {
          p_coordinator_id: job,
          p_mentor_id: mentor,
          p_certificate_type: "first_aid",
          p_threshold_tier: "warning_30",
          p_notification_id: badge,
          p_note: "Booked for May.",
        },
        row: {
          coordinator_id: job,
          mentor_id: mentor,
          certificate_type: "first_aid",
          threshold_tier: "warning_30",
          notification_id: badge,
          note: "Booked for May.",
        },
        bucket: "warning_30",
      },
    ],
    badge_evaluation_logs: [
      {
        name: "an award",
        call: "record_badge_evaluation",
        arguments: {
          p_peer_mentor_id: mentor,
          p_duration_ms: 0.2,
          p_activity_id: job,
          p_badges_evaluated: [badge, job],
          p_criteria_outcomes: { [badge]: true, [job]: false },
          p_badges_awarded: `{${badge}}`,
        },
        row: {
          peer_mentor_id: mentor,
          duration_ms: 1,
          activity_id: job,
          badges_evaluated: [badge, job],
          criteria_outcomes: { [badge]: true, [job]: false },
          badges_awarded: [badge],
        },
        bucket: "awarded",
      },
      {
        name: "no award",
        call: "record_badge_evaluation",
        arguments: {
          p_peer_mentor_id: mentor,
          p_duration_ms: 12.1,
          p_badges_evaluated: [badge],
          p_criteria_outcomes: { [badge]: false },
        },
        row: {
          peer_mentor_id: mentor,
          duration_ms: 13,
          badges_evaluated: [badge],
          criteria_outcomes: { [badge]: false },
          badges_awarded: [],
        },
        bucket: "not_awarded",
      },
      {
        name: "a run that failed",
        call: "record_badge_evaluation",
        arguments: { p_peer_mentor_id: mentor, p_duration_ms: 40, p_error_message: "57014" },
        row: {
          peer_mentor_id: mentor,
          duration_ms: 40,
          badges_evaluated: [],
          criteria_outcomes: {},
          badges_awarded: [],
          error_message: "criteria.timeout",
        },
        bucket: "failed",
      },
    ],
  };

  const organisationArgument = (trail: TrailName) => `p_${trailOf(trail).organisationColumn}`;

  async function record(trail: TrailName, organisation: string, at: string, scenario: Scenario) {
    const timeArgument = `p_${trailOf(trail).timeColumn}`;
    const given = {
      [organisationArgument(trail)]: organisation,
      [timeArgument]: at,
      ...scenario.arguments,
    };
    const named = Object.keys(given).map((name, i) => `${name} => $${i + 1}`);
    const values = Object.values(given).map((value) =>
      typeof value === "object" ? JSON.stringify(value) : value,
    );
    const { rows } = await database.as("service", (client) =>
      client.query<{ id: string }>(
        `select public.${scenario.call}(${named.join(", ")}) as id`,
        values,
      ),
    );
    return rows[0]?.id;
  }

  test.each(
    trailNames.flatMap((trail) =>
      scenarios[trail].map((each) => [trail, each.name, each] as const),
    ),
  )("%s: %s", async (trail, _name, scenario) => {
    const { organisationColumn, timeColumn } = trailOf(trail);
    const organisation = await newOrganisation(database);
    const coordinator = await newCoordinator(database, organisation);
    const at = "2025-10-10T12:00:00.123Z";
    const id = await record(trail, organisation, at, scenario);

    const [row, ...more] = await page(coordinator, trail, organisation);
    expect(more).toEqual([]);
    const { recorded_at: recordedAt, ...columns } = row as Row;
    expect(recordedAt).toBeInstanceOf(Date);
    const given = Object.fromEntries(Object.entries(columns).filter(([, value]) => value !== null));
    expect(given).toEqual({
      id,
      [timeColumn]: new Date(at),
      [organisationColumn]: organisation,
      ...scenario.row,
    });
  });

  test.each(trailNames)("a summary of %s counts each", async (trail) => {
    const organisation = await newOrganisation(database);
    const coordinator = await newCoordinator(database, organisation);
    const wanted: Bucket[] = [];
    for (const [n, scenario] of scenarios[trail].entries()) {
      for (let entry = 0; entry <= n; entry++) {
        await record(trail, organisation, `2025-10-1${n}T12:00:0${entry}Z`, scenario);
      }
      wanted.push({ bucket: scenario.bucket, entries: String(n + 1) });
    }
    wanted.sort((a, b) => (a.bucket < b.bucket ? -1 : 1));
    for (const sealing of [false, true]) {
      if (sealing) await seal(database.superuser);
      expect(await summary(coordinator, trail, organisation)).toEqual(wanted);
    }
  });

  test("get_hlf_sync_audit_summary counts attempts by outcome and has the time of the last of each", async () => {
    const trail = "hlf_sync_audit_log";
    const organisation = await newOrganisation(database);
    const coordinator = await newCoordinator(database, organisation);
    for (const [n, scenario] of scenarios[trail].entries()) {
      // The last one first: order of recording does not matter.
      for (let entry = n; entry >= 0; entry--) {
        await record(trail, organisation, `2025-10-1${n}T12:00:0${entry}.500Z`, scenario);
      }
    }
    const read = (from: string | null, to: string | null) =>
      database.as(coordinator, async (client) => {
        const { rows } = await client.query(
          "select * from public.get_hlf_sync_audit_summary($1, $2, $3)",
          [organisation, from, to],
        );
        return rows;
      });
    const attempts = (outcome: string, attempts: number, last: string) => ({
      outcome,
      attempts: String(attempts),
      last_attempt_at: new Date(last),
    });
    for (const sealing of [false, true]) {
      if (sealing) await seal(database.superuser);
      expect(await read(null, null)).toEqual([
        attempts("success", 1, "2025-10-10T12:00:00.500Z"),
        attempts("retryable_failure", 2, "2025-10-11T12:00:01.500Z"),
        attempts("dead_letter", 3, "2025-10-12T12:00:02.500Z"),
      ]);
      expect(await read("2025-10-11T12:00:01.500Z", "2025-10-12T12:00:02.500Z")).toEqual([
        attempts("retryable_failure", 1, "2025-10-11T12:00:01.500Z"),
        attempts("dead_letter", 2, "2025-10-12T12:00:01.500Z"),
      ]);
      expect(await read("2025-11-01", null)).toEqual([]);
    }
  });
});

describe("bad questions", () => {
  test.each([
    ["no organisation", "select * from public.get_audit_summary(null, 'audit_log')", "22023"],
    ["no organisation to sync", "select * from public.get_hlf_sync_audit_summary(null)", "22023"],
    [
      "a trail that is none",
      `select * from public.get_audit_summary('${ids.organisationA}', 'x')`,
      "PT404",
    ],
    ["no trail", `select * from public.get_audit_summary('${ids.organisationA}', null)`, "PT404"],
    [
      "a trail with its schema",
      `select * from public.get_audit_summary('${ids.organisationA}', 'public.audit_log')`,
      "PT404",
    ],
    [
      "an outcome that is none",
      `select * from public.get_hlf_sync_audit('${ids.organisationA}', p_outcome => 'x')`,
      "22P02",
    ],
  ])("%s", async (_name, query, code) => {
    expect(
      await sqlstate(
        database.as("coordinatorA", (client) => client.query(query), { readOnly: true }),
      ),
    ).toBe(code);
  });
});
