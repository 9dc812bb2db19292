import { randomUUID } from "node:crypto";
import fc from "fast-check";
import { beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { ids, sqlstate, useCluster, useDatabase } from "../harness/index.js";
import { seal, verify } from "../harness/log.js";

// A transaction of autovacuum would hold sealing back for a moment, which the model knows nothing of.
const cluster = useCluster({ fsync: "off", autovacuum: "off" });
const database = useDatabase(cluster);

const day = 24 * 60 * 60 * 1000;
const asOf = new Date(Math.floor(Date.now() / day) * day - day);
const daysBefore = (days: number) => new Date(asOf.getTime() - days * day);
const trails = ["hlf_sync_audit_log", "coordinator_acknowledgement_audit"] as const;
type Trail = (typeof trails)[number];

interface Entry {
  trail: Trail;
  id: string;
  organisation: string;
  at: Date;
  recordedAt: Date;
  sealed: boolean;
}

/** What pgtrail.apply_retention() says. */
interface Line {
  trail_name: string;
  organisation: string | null;
  entries: string;
  method: string;
  reason: string;
}

beforeAll(async () => {
  // The database of this file is a copy of the migrated template.
  await database.superuser.query("select pgtrail.enable_retention()");
  await database.superuser.query(
    "update pgtrail.retention_setting set max_partitions = 3, max_batches = 4, batch_size = 3",
  );
});

/** Ages in days, in months that the model, which goes back 400 days, leaves alone. */
const [OLD, OLDER] = [440, 480];

/** Partitions for events of more than a year, of which retention drops some. */
async function preparePartitions(): Promise<void> {
  for (const trail of trails) {
    await database.superuser.query("select pgtrail.ensure_partitions($1::regclass, $2, now())", [
      `public.${trail}`,
      daysBefore(OLDER),
    ]);
  }
}

beforeEach(async () => {
  await preparePartitions();
  await database.superuser.query(
    "delete from pgtrail.retention_policy; delete from pgtrail.legal_hold",
  );
});

const inserts: Record<Trail, string> = {
  hlf_sync_audit_log: `insert into public.hlf_sync_audit_log
    (id, organisation_id, mentor_id, sync_direction, outcome, source, recorded_at)
    values (pgtrail.uuid7($1), $2, $2, 'remove', 'success', 'nightly_batch', $3) returning id`,
  coordinator_acknowledgement_audit: `insert into public.coordinator_acknowledgement_audit
    (id, organisation_id, coordinator_id, mentor_id, certificate_type, threshold_tier, note, recorded_at)
    values (pgtrail.uuid7($1), $2, $2, $2, 'first aid', 'lapsed', 'note', $3) returning id`,
};

/** Records an event of the past as the owner, who may say when the database learned of it. */
async function record(
  trail: Trail,
  organisation: string,
  at: Date,
  recordedAt: Date,
): Promise<Entry> {
  const { rows } = await database.superuser.query<{ id: string }>(inserts[trail], [
    at,
    organisation,
    recordedAt,
  ]);
  return { trail, id: (rows[0] as { id: string }).id, organisation, at, recordedAt, sealed: false };
}

async function applyRetention(as_of: Date, dryRun = false): Promise<Line[]> {
  const { rows } = await database.superuser.query<Line>(
    "select * from pgtrail.apply_retention($1, $2)",
    [as_of, dryRun],
  );
  return rows;
}

/** Runs until a run finds nothing more. */
async function applyAll(as_of: Date): Promise<Line[]> {
  const lines: Line[] = [];
  for (;;) {
    const found = await applyRetention(as_of);
    expect(found.filter(({ method }) => /failed|postponed/.test(method))).toEqual([]);
    if (found.length === 0) return lines;
    lines.push(...found);
  }
}

async function present(): Promise<string[]> {
  const { rows } = await database.superuser.query<{ id: string }>(
    `select id from public.hlf_sync_audit_log union all select id from public.coordinator_acknowledgement_audit`,
  );
  return rows.map(({ id }) => id).sort();
}

async function setRetention(
  trail: Trail,
  keep: number | null,
  organisation: string | null,
): Promise<void> {
  await database.superuser.query("select pgtrail.set_retention($1::regclass, $2, $3, 'a test')", [
    `public.${trail}`,
    keep === null ? null : `${keep} days`,
    organisation,
  ]);
}

describe("retention", () => {
  const age = fc.integer({ min: 1, max: 400 });
  const keep = fc.oneof(fc.constant(null), fc.constantFrom(30, 60, 100, 200, 365));
  const trail = fc.constantFrom(...trails);
  const scenario = fc.record({
    entries: fc.array(
      fc.record({
        trail,
        organisation: fc.integer({ min: 0, max: 2 }),
        age,
        // Most are recorded at once, some much later.
        delay: fc.oneof(
          { weight: 3, arbitrary: fc.constant(0) },
          { weight: 1, arbitrary: fc.integer({ min: 0, max: 300 }) },
        ),
      }),
      { maxLength: 30 },
    ),
    unsealed: fc.integer({ min: 0, max: 3 }),
    sealedLongAgo: fc.boolean(),
    policies: fc.array(
      fc.record({ trail, organisation: fc.option(fc.integer({ min: 0, max: 2 })), keep }),
      { minLength: 1, maxLength: 4 },
    ),
    holds: fc.array(
      fc.record({
        trail: fc.option(trail),
        organisation: fc.option(fc.integer({ min: 0, max: 2 })),
        from: fc.option(age),
        days: fc.option(fc.integer({ min: 1, max: 200 })),
        released: fc.boolean(),
      }),
      { maxLength: 2 },
    ),
  });

  test("removes what is due by a model of policies, holds and clocks, and nothing else", async () => {
    let model: Entry[] = [];
    await fc.assert(
      fc.asyncProperty(scenario, async ({ entries, unsealed, sealedLongAgo, policies, holds }) => {
        const started = new Date();
        // What an earlier round left unsealed was recorded at any time, so it was not sealed long ago.
        const leftUnsealed = model.some((entry) => !entry.sealed);
        const organisations = [randomUUID(), randomUUID(), randomUUID()];
        const organisation = (n: number) => organisations[n] as string;
        await database.superuser.query(
          "delete from pgtrail.retention_policy; delete from pgtrail.legal_hold",
        );

        const recorded: Entry[] = [];
        for (const [n, each] of entries.entries()) {
          if (n === entries.length - unsealed) {
            await seal(database.superuser);
            for (const entry of [...model, ...recorded]) entry.sealed = true;
          }
          const at = daysBefore(each.age);
          const delay = sealedLongAgo ? 0 : each.delay;
          const recordedAt = new Date(Math.min(at.getTime() + delay * day, Date.now()));
          recorded.push(await record(each.trail, organisation(each.organisation), at, recordedAt));
        }
        if (unsealed === 0) {
          await seal(database.superuser);
          for (const entry of [...model, ...recorded]) entry.sealed = true;
        }
        model.push(...recorded);
        if (sealedLongAgo && !leftUnsealed) {
          await database.superuser.query(
            "update pgtrail.batch set sealed_at = '2020-01-01Z' where sealed_at > $1",
            [started],
          );
        }

        const keeps = new Map<string, number | null>();
        for (const policy of policies) {
          const of = policy.organisation === null ? null : organisation(policy.organisation);
          await setRetention(policy.trail, policy.keep, of);
          keeps.set(`${policy.trail} ${of}`, policy.keep);
        }
        const active: ((entry: Entry) => boolean)[] = [];
        for (const hold of holds) {
          const of = hold.organisation === null ? null : organisation(hold.organisation);
          const from = hold.from === null ? null : daysBefore(hold.from);
          const to =
            hold.days === null
              ? null
              : new Date((from ?? daysBefore(400)).getTime() + hold.days * day);
          const { rows } = await database.superuser.query<{ id: string }>(
            "select pgtrail.place_legal_hold($1, 'a case', $2::regclass, $3, $4) as id",
            [of, hold.trail && `public.${hold.trail}`, from, to],
          );
          if (hold.released) {
            await database.superuser.query("select pgtrail.release_legal_hold($1, 'closed')", [
              rows[0]?.id,
            ]);
          } else {
            active.push(
              (entry) =>
                (of === null || of === entry.organisation) &&
                (hold.trail === null || hold.trail === entry.trail) &&
                (from === null || entry.at >= from) &&
                (to === null || entry.at < to),
            );
          }
        }

        const isDue = (entry: Entry) => {
          const own = keeps.get(`${entry.trail} ${entry.organisation}`);
          const days = own !== undefined ? own : keeps.get(`${entry.trail} null`);
          if (days === undefined || days === null) return false;
          const youngest = new Date(Math.max(entry.at.getTime(), entry.recordedAt.getTime()));
          return (
            entry.sealed && youngest < daysBefore(days) && !active.some((holds) => holds(entry))
          );
        };

        const dry = await applyRetention(asOf, true);
        const lines = await applyAll(asOf);
        const due = model.filter(isDue);
        const sum = (some: Line[]) => some.reduce((total, line) => total + Number(line.entries), 0);
        expect(sum(lines)).toBe(due.length);
        // A run is bounded by partitions, a dry run as well.
        expect(sum(dry)).toBeLessThanOrEqual(due.length);

        model = model.filter((entry) => !isDue(entry));
        expect(await present()).toEqual(model.map(({ id }) => id).sort());
        expect(await verify(database.superuser)).toEqual([]);
        const { rows: wrong } = await database.superuser.query(
          "select * from pgtrail.verify_rollups()",
        );
        expect(wrong).toEqual([]);
        await preparePartitions();
      }),
      // What a round leaves behind belongs to the next ones, so a failure cannot be shrunk.
      { numRuns: 25, endOnFailure: true },
    );
  }, 240_000);

  test("each run leaves a record and an entry in audit_log", async () => {
    const organisation = randomUUID();
    await record("hlf_sync_audit_log", organisation, daysBefore(90), daysBefore(90));
    await seal(database.superuser);
    await setRetention("hlf_sync_audit_log", 60, organisation);
    const [line] = (await applyAll(asOf)).filter(({ entries }) => entries !== "0");
    expect(line).toMatchObject({ organisation, entries: "1", method: "delete" });

    const { rows: runs } = await database.superuser.query(
      "select entries, failures, results from pgtrail.purge_run where entries > 0 order by started_at desc limit 1",
    );
    expect(runs).toEqual([
      {
        entries: "1",
        failures: 0,
        results: expect.arrayContaining([
          expect.objectContaining({ organisation, entries: 1, method: "delete" }),
        ]),
      },
    ]);
    const { rows: events } = await database.superuser.query(
      `select actor_kind from public.audit_log
       where action = 'retention.applied'
         and details -> 'results' @> jsonb_build_array(jsonb_build_object('organisation', $1::text))`,
      [organisation],
    );
    expect(events).toEqual([{ actor_kind: "system" }]);
  });

  test("a partition in use is postponed, the others go on, and the next run drops it", async () => {
    const organisation = randomUUID();
    await setRetention("coordinator_acknowledgement_audit", 30, null);
    await database.superuser.query("update pgtrail.retention_setting set max_partitions = 100");
    await applyAll(asOf);
    await preparePartitions();
    for (const days of [OLDER, OLD]) {
      await record(
        "coordinator_acknowledgement_audit",
        organisation,
        daysBefore(days),
        daysBefore(days),
      );
    }
    await seal(database.superuser);
    await database.superuser.query("update pgtrail.batch set sealed_at = '2020-01-01Z'");

    const partition = `pgtrail_partitions.coordinator_acknowledgement_audit_${daysBefore(OLDER).toISOString().slice(0, 7).replace("-", "_")}`;
    const reader = await database.superuser.connect();
    let lines: Line[];
    try {
      await reader.query("begin");
      await reader.query(`declare page cursor for select * from ${partition}`);
      await reader.query("fetch 1 from page");
      lines = await applyRetention(asOf);
      expect((await reader.query("fetch 1 from page")).rows).toEqual([]);
      await reader.query("commit");
    } finally {
      reader.release(true);
    }
    const own = (some: Line[]) => some.filter((line) => line.organisation === organisation);
    expect(own(lines)).toMatchObject([{ entries: "1", method: "drop" }]);
    expect(lines.filter(({ method }) => method === "postponed")).toMatchObject([
      { reason: `${daysBefore(OLDER).toISOString().slice(0, 7)}: database.lock_timeout` },
    ]);
    expect(own(await applyAll(asOf))).toMatchObject([{ entries: "1", method: "drop" }]);
    expect(await verify(database.superuser)).toEqual([]);
  });

  test("writers and readers meet no error while partitions are dropped and entries deleted", async () => {
    await preparePartitions();
    const organisation = randomUUID();
    for (let n = 0; n < 60; n++) {
      await record(
        "hlf_sync_audit_log",
        organisation,
        daysBefore(100 + n * 5),
        daysBefore(100 + n * 5),
      );
    }
    await seal(database.superuser);
    await database.superuser.query("update pgtrail.batch set sealed_at = '2020-01-01Z'");
    await setRetention("hlf_sync_audit_log", 60, organisation);

    const stop = new AbortController();
    let written = 0;
    const writer = (async () => {
      while (!stop.signal.aborted) {
        await record("hlf_sync_audit_log", ids.organisationA, new Date(), new Date());
        written++;
      }
    })();
    const reader = (async () => {
      while (!stop.signal.aborted) {
        await database.as("auditor", (client) =>
          client.query("select id from public.get_hlf_sync_audit($1, p_page_size => 200)", [
            organisation,
          ]),
        );
      }
    })();
    let removed = 0;
    try {
      while (removed < 60) {
        for (const line of await applyRetention(asOf)) removed += Number(line.entries);
      }
    } finally {
      stop.abort();
      await Promise.all([writer, reader]);
    }
    expect(removed).toBe(60);
    expect(written).toBeGreaterThan(0);
    await seal(database.superuser);
    expect(await verify(database.superuser)).toEqual([]);
  });

  const coordinators = "coordinator_acknowledgement_audit";

  /** A trail with a month to drop and one to delete from, an entry each. Returns the ids of both. */
  async function somethingToDropAndDelete(): Promise<{ dropped: string; deleted: string }> {
    const [organisation, forEver] = [randomUUID(), randomUUID()];
    await database.superuser.query("update pgtrail.retention_setting set max_partitions = 100");
    await setRetention(coordinators, 30, null);
    await applyAll(asOf);
    await preparePartitions();
    await setRetention(coordinators, null, forEver);
    const older = await record(coordinators, organisation, daysBefore(OLDER), daysBefore(OLDER));
    const old = await record(coordinators, organisation, daysBefore(OLD), daysBefore(OLD));
    await record(coordinators, forEver, daysBefore(OLD), daysBefore(OLD));
    await seal(database.superuser);
    await database.superuser.query("update pgtrail.batch set sealed_at = '2020-01-01Z'");
    return { dropped: older.id, deleted: old.id };
  }

  /** Does `work` while a lock, taken by `lock`, keeps it waiting, and writes to the trail meanwhile. */
  async function writeWhileWaiting<T>(
    lock: string,
    values: unknown[],
    work: () => Promise<T>,
  ): Promise<T> {
    const blocker = await database.superuser.connect();
    let done: Promise<T>;
    try {
      await blocker.query("begin");
      await blocker.query(lock, values);
      done = work();
      await vi.waitFor(
        async () => {
          const { rows } = await database.superuser.query(
            "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
          );
          expect(rows).toHaveLength(1);
        },
        { timeout: 20_000 },
      );
      await record(coordinators, ids.organisationA, new Date(), new Date());
      await blocker.query("commit");
    } finally {
      blocker.release(true);
    }
    return done;
  }

  test("writers do not wait while entries are deleted: partitions are dropped after that", async () => {
    const { deleted } = await somethingToDropAndDelete();
    const lines = await writeWhileWaiting(
      `select from public.${coordinators} where id = $1 for update`,
      [deleted],
      () => applyRetention(asOf),
    );
    expect(lines.filter(({ entries }) => entries === "1").map(({ method }) => method)).toEqual([
      "delete",
      "drop",
    ]);
  });

  test("writers do not wait while maintain verifies: partitions are dropped after that", async () => {
    const { dropped, deleted } = await somethingToDropAndDelete();
    const { rows } = await writeWhileWaiting(
      "lock table pgtrail.tile in access exclusive mode",
      [],
      () => database.superuser.query("select pgtrail.maintain() as done"),
    );
    expect(rows[0].done).toMatchObject({ purges_postponed: 0, defects: 0 });
    const left = await present();
    expect(left).not.toContain(dropped);
    expect(left).not.toContain(deleted);
  });

  test("a run in which drops take long leaves the rest to the next one", async () => {
    await setRetention("coordinator_acknowledgement_audit", 30, null);
    await database.superuser.query("update pgtrail.retention_setting set max_partitions = 100");
    await database.superuser.query(`
      create function public.take_long() returns event_trigger language plpgsql
      as $$ begin perform pg_sleep(0.3); end $$;
      create event trigger take_long on sql_drop execute function public.take_long()`);
    try {
      const first = await applyRetention(asOf);
      expect(first.map(({ method }) => method)).toEqual(["drop", "drop"]);
    } finally {
      await database.superuser.query(
        "drop event trigger take_long; drop function public.take_long()",
      );
    }
    expect((await applyAll(asOf)).length).toBeGreaterThan(5);
  });

  test("refuses what is below the floor, zero, negative, and a clock ahead", async () => {
    const set = (keep: string) =>
      sqlstate(
        database.superuser.query(
          "select pgtrail.set_retention('public.hlf_sync_audit_log', $1::interval)",
          [keep],
        ),
      );
    for (const keep of ["0", "-1 year", "29 days", "-1 day"]) expect(await set(keep)).toBe("22023");
    expect(await sqlstate(applyRetention(new Date(Date.now() + day)))).toBe("22023");
    await applyRetention(new Date(Date.now() + day), true);
  });

  test("a copy of the database removes nothing until it is enabled there", async () => {
    await database.superuser.query("update pgtrail.retention_setting set database_oid = 1");
    expect(await sqlstate(applyRetention(asOf))).toBe("TR005");
    const { rows } = await database.superuser.query("select pgtrail.maintain() as done");
    expect(rows[0].done.retention).toBe("not enabled in this copy of the database");
    await database.superuser.query("select pgtrail.enable_retention()");
    await applyRetention(asOf);
  });
});

describe("erasure", () => {
  async function acknowledgement(): Promise<Entry> {
    return record(
      "coordinator_acknowledgement_audit",
      ids.organisationA,
      daysBefore(3),
      daysBefore(3),
    );
  }
  const erase = (entry: Entry, columns: string[]) =>
    database.superuser.query("select pgtrail.erase($1::regclass, $2, $3, 'a request')", [
      `public.${entry.trail}`,
      entry.id,
      columns,
    ]);
  const entryOf = async (trail: string, id: string) => {
    const { rows } = await database.superuser.query<{ entry: Buffer; hashes: Buffer[] }>(
      "select entry, hashes from pgtrail.inclusion_proof($1::regclass, $2)",
      [`public.${trail}`, id],
    );
    return rows[0];
  };

  test("leaves the proof of the entry as it was, sealed before or after", async () => {
    const first = await acknowledgement();
    await seal(database.superuser);
    const proof = await entryOf(first.trail, first.id);
    await erase(first, ["note"]);
    expect((await entryOf(first.trail, first.id))?.entry).toEqual(proof?.entry);

    const second = await acknowledgement();
    await erase(second, ["note"]);
    await seal(database.superuser);
    expect(await entryOf(second.trail, second.id)).toBeDefined();
    const { rows } = await database.superuser.query(
      "select note, erasure_salt from public.coordinator_acknowledgement_audit where id = any ($1)",
      [[first.id, second.id]],
    );
    expect(rows).toEqual([
      { note: null, erasure_salt: null },
      { note: null, erasure_salt: null },
    ]);
    expect(await verify(database.superuser)).toEqual([]);
  });

  test("goes on column by column", async () => {
    const { rows } = await database.as("service", (client) =>
      client.query<{ id: string }>(
        `select public.record_audit_event($1, 'test', p_details => '{"a": 1}', p_ip_address => '192.0.2.7',
           p_user_agent => 'agent', p_changes => '{"b": {"old": 1, "new": 2}}') as id`,
        [ids.organisationA],
      ),
    );
    const id = rows[0]?.id as string;
    await seal(database.superuser);
    const proof = await entryOf("audit_log", id);
    const entry = { trail: "audit_log" as Trail, id } as Entry;
    for (const columns of [["ip_address"], ["details", "user_agent"], ["changes", "ip_address"]]) {
      await erase(entry, columns);
      expect((await entryOf("audit_log", id))?.entry).toEqual(proof?.entry);
    }
    const { rows: kept } = await database.superuser.query(
      "select column_name, commitment is not null as erased, salt from pgtrail.erasure where entry_id = $1 order by 1",
      [id],
    );
    expect(kept).toEqual(
      ["changes", "details", "ip_address", "user_agent"].map((column_name) => ({
        column_name,
        erased: true,
        salt: null,
      })),
    );
    expect(await verify(database.superuser)).toEqual([]);
  });

  test("of what is gone already does nothing", async () => {
    const entry = await acknowledgement();
    await erase(entry, ["note"]);
    const acts = async () =>
      (
        await database.superuser.query(
          "select (select count(*) from pgtrail.erasure) as kept, count(*) as acts from public.audit_log where action = 'entry.erased'",
        )
      ).rows;
    const before = await acts();
    await erase(entry, ["note"]);
    expect(await acts()).toEqual(before);
  });

  test("is refused under a legal hold, without a reason, and for columns that are not erasable", async () => {
    const entry = await acknowledgement();
    const { rows } = await database.superuser.query<{ id: string }>(
      "select pgtrail.place_legal_hold($1, 'a case') as id",
      [ids.organisationA],
    );
    expect(await sqlstate(erase(entry, ["note"]))).toBe("TR004");
    await database.superuser.query("select pgtrail.release_legal_hold($1, 'closed')", [
      rows[0]?.id,
    ]);
    expect(await sqlstate(erase(entry, ["mentor_id"]))).toBe("22023");
    expect(await sqlstate(erase(entry, []))).toBe("22023");
    expect(await sqlstate(erase({ ...entry, id: randomUUID() }, ["note"]))).toBe("PT404");
    await erase(entry, ["note"]);
  });
});

describe("the door", () => {
  test("is closed to every role but through the functions", async () => {
    for (const role of ["anon", "authenticated", "service_role", "pgtrail_auditor"]) {
      const { rows } = await database.superuser.query(
        `select count(*) filter (where has_function_privilege($1, oid, 'execute'))::int as callable,
                pg_has_role($1, 'pgtrail_purger', 'member') as member
         from pg_proc where proowner = 'pgtrail_purger'::regrole`,
        [role],
      );
      expect(rows).toEqual([{ callable: 0, member: false }]);
    }
    const { rows } = await database.superuser.query(
      "select rolcanlogin, rolsuper, rolbypassrls from pg_roles where rolname = 'pgtrail_purger'",
    );
    expect(rows).toEqual([{ rolcanlogin: false, rolsuper: false, rolbypassrls: false }]);
  });
});
