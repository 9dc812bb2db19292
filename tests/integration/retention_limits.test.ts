import { randomUUID } from "node:crypto";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { insertEntries, sqlstate, useCluster, useDatabase } from "../harness/index.js";
import { seal, verify } from "../harness/log.js";

/*
 * Each of the things that keep retention from removing an entry, alone and with what it keeps at its
 * edge. That they keep each other company as they should is tested in retention.test.ts, with a model.
 */

// A transaction of autovacuum would hold sealing back for a moment.
const cluster = useCluster({ fsync: "off", autovacuum: "off" });
const database = useDatabase(cluster);

const trail = "hlf_sync_audit_log";
const day = 24 * 60 * 60 * 1000;

/** Noon of a day of the month that was so many months ago. */
function dayOf(monthsAgo: number, dayOfMonth: number): Date {
  const now = new Date();
  return new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - monthsAgo, dayOfMonth, 12));
}

const daysAgo = (days: number) => new Date(Date.now() - days * day);

/** What pgtrail.apply_retention() says of entries that it removed, or could not. */
interface Line {
  organisation: string | null;
  entries: string;
  method: string;
  reason: string;
}

async function applyRetention(): Promise<Line[]> {
  const { rows } = await database.superuser.query<Line>("select * from pgtrail.apply_retention()");
  return rows;
}

async function setRetention(keep: string | null, organisation?: string): Promise<void> {
  await database.superuser.query("select pgtrail.set_retention($1::regclass, $2, $3, 'a test')", [
    `public.${trail}`,
    keep,
    organisation ?? null,
  ]);
}

async function setFloor(keepAtLeast: string): Promise<void> {
  await database.superuser.query("select pgtrail.set_retention_floor($1)", [keepAtLeast]);
}

/** Records an event of the past as the owner, who may say when the database learned of it: then, by default. */
async function record(organisation: string, at: Date, recordedAt = at): Promise<string> {
  await database.superuser.query("select pgtrail.ensure_partitions($1::regclass, $2, $2)", [
    `public.${trail}`,
    at,
  ]);
  const [id] = await insertEntries(database.superuser, trail, organisation, [
    { at: at.toISOString(), recorded_at: recordedAt.toISOString() },
  ]);
  return id as string;
}

/** Seals everything, and has it sealed long ago. */
async function sealLongAgo(): Promise<void> {
  await seal(database.superuser);
  await database.superuser.query("update pgtrail.batch set sealed_at = '2000-01-01Z'");
}

/** Which of some entries are still there, in their order. */
async function left(ids: string[]): Promise<string[]> {
  const { rows } = await database.superuser.query<{ id: string }>(
    `select id from public.${trail} where id = any ($1)`,
    [ids],
  );
  return ids.filter((id) => rows.some((row) => row.id === id));
}

/** Whether the trail has a partition for the month of a time. */
async function hasPartition(at: Date): Promise<boolean> {
  const month = at.toISOString().slice(0, 7).replace("-", "_");
  const { rows } = await database.superuser.query<{ found: boolean }>(
    "select to_regclass($1) is not null as found",
    [`pgtrail_partitions.${trail}_${month}`],
  );
  return rows[0]?.found === true;
}

beforeAll(async () => {
  // The database of this file is a copy of the migrated template.
  await database.superuser.query("select pgtrail.enable_retention()");
});

beforeEach(async () => {
  await database.superuser.query(
    "delete from pgtrail.retention_policy; delete from pgtrail.legal_hold",
  );
  await setFloor("30 days");
});

describe("a legal hold", () => {
  const organisation = randomUUID();
  /** A month that no other case has entries in: what one leaves behind would keep the next's. */
  let month = 40;

  /**
   * Records an entry of the 5th, the 15th and the 25th of a month that is due, places a hold and
   * applies retention. Returns the days that are left.
   */
  async function daysLeft(hold: {
    of: string | null;
    from: Date | null;
    to: Date | null;
  }): Promise<number[]> {
    const days = [5, 15, 25];
    const ids: string[] = [];
    for (const dayOfMonth of days) ids.push(await record(organisation, dayOf(month, dayOfMonth)));
    await sealLongAgo();
    await setRetention("30 days", organisation);
    await database.superuser.query(
      "select pgtrail.place_legal_hold($1, 'a case', $2::regclass, $3, $4)",
      [hold.of, `public.${trail}`, hold.from, hold.to],
    );
    const lines = await applyRetention();
    expect(lines.filter(({ method }) => method === "failed")).toEqual([]);
    expect(await verify(database.superuser)).toEqual([]);
    const present = await left(ids);
    return days.filter((_, n) => present.includes(ids[n] as string));
  }

  const beginning = (monthsAgo: number) => new Date(dayOf(monthsAgo, 1).getTime() - day / 2);

  beforeEach(() => {
    month += 2;
  });

  describe.each([
    { whom: "its organisation", of: organisation },
    { whom: "everybody", of: null },
  ])("of $whom", ({ of }) => {
    test("that starts within the month keeps the partition, and in it what is held", async () => {
      expect(await daysLeft({ of, from: dayOf(month, 20), to: null })).toEqual([25]);
      expect(await hasPartition(dayOf(month, 15))).toBe(true);
    });

    test("that ends within the month keeps the partition, and in it what is held", async () => {
      expect(await daysLeft({ of, from: null, to: dayOf(month, 10) })).toEqual([5]);
      expect(await hasPartition(dayOf(month, 15))).toBe(true);
    });

    test("that lies within the month keeps the partition, and in it what is held", async () => {
      const hold = { of, from: dayOf(month, 10), to: dayOf(month, 20) };
      expect(await daysLeft(hold)).toEqual([15]);
      expect(await hasPartition(dayOf(month, 15))).toBe(true);
    });

    test("that is the month keeps all of it", async () => {
      const hold = { of, from: beginning(month), to: beginning(month - 1) };
      expect(await daysLeft(hold)).toEqual([5, 15, 25]);
    });

    test("that ends as the month begins keeps nothing of it", async () => {
      expect(await daysLeft({ of, from: null, to: beginning(month) })).toEqual([]);
      expect(await hasPartition(dayOf(month, 15))).toBe(false);
    });

    test("that starts as the month ends keeps nothing of it", async () => {
      expect(await daysLeft({ of, from: beginning(month - 1), to: null })).toEqual([]);
      expect(await hasPartition(dayOf(month, 15))).toBe(false);
    });
  });
});

test("entries of old events stay that were recorded and sealed today, alone in their month", async () => {
  const month = dayOf(26, 15);
  const id = await record(randomUUID(), month, new Date());
  await seal(database.superuser);
  await setRetention("30 days");
  await applyRetention();
  expect(await left([id])).toEqual([id]);
  expect(await hasPartition(month)).toBe(true);
});

test("entries of an organisation that keeps them for ever stay, whatever the policy of the trail", async () => {
  const [forEver, other] = [randomUUID(), randomUUID()];
  const month = dayOf(29, 15);
  const ids = [await record(forEver, month), await record(other, month)];
  await sealLongAgo();
  await setRetention("30 days");
  await setRetention(null, forEver);
  await applyRetention();
  expect(await left(ids)).toEqual(ids.slice(0, 1));
});

describe("a floor that is raised above a policy holds", () => {
  test.each(["the trail", "an organisation"])("for that of %s", async (whose) => {
    const organisation = randomUUID();
    const ages = [400, 360, 200, 90];
    const ids: string[] = [];
    for (const age of ages) ids.push(await record(organisation, daysAgo(age)));
    // Somebody else's, so that partitions are not dropped as a whole.
    if (whose !== "the trail") for (const age of ages) await record(randomUUID(), daysAgo(age));
    await sealLongAgo();
    await setRetention("60 days", whose === "the trail" ? undefined : organisation);
    await setFloor("1 year");
    const lines = await applyRetention();
    expect(await left(ids)).toEqual(ids.slice(1));
    expect(lines.filter(({ method }) => method === "failed")).toEqual([]);

    await setFloor("30 days");
    await applyRetention();
    expect(await left(ids)).toEqual([]);
  });
});

test("of an organisation's due entries of one month only those go that are sealed", async () => {
  const organisation = randomUUID();
  const sealed = await record(organisation, dayOf(32, 10));
  await sealLongAgo();
  const unsealed = await record(organisation, dayOf(32, 20));
  await setRetention("30 days");
  const own = (await applyRetention()).filter((line) => line.organisation === organisation);
  expect(own).toMatchObject([{ entries: "1", method: "delete" }]);
  expect(await left([sealed, unsealed])).toEqual([unsealed]);
  const { rows } = await database.superuser.query<{ failures: number }>(
    "select failures from pgtrail.purge_run order by run_id desc limit 1",
  );
  expect(rows).toEqual([{ failures: 0 }]);

  await sealLongAgo();
  await applyRetention();
  expect(await left([unsealed])).toEqual([]);
  expect(await verify(database.superuser)).toEqual([]);
});

/** Whether the last run took so long that it may have left partitions to the next one. */
async function endedEarly(): Promise<boolean> {
  const { rows } = await database.superuser.query(
    `select finished_at - started_at > interval '500 ms' as early
     from pgtrail.purge_run order by finished_at desc limit 1`,
  );
  return rows[0].early;
}

test("a run drops as many partitions as it may, the oldest first, and the next one the others", async () => {
  const organisation = randomUUID();
  // What others left behind.
  await setRetention("30 days");
  while ((await applyRetention()).length > 0);
  const months = [7, 6, 5, 4, 3].map((month) => dayOf(month, 15));
  const ids: string[] = [];
  for (const month of months) ids.push(await record(organisation, month));
  await sealLongAgo();
  await database.superuser.query("update pgtrail.retention_setting set max_partitions = 3");

  // A run ends early when its drops have kept others waiting for half a second.
  let dropped = 0;
  while (dropped < months.length) {
    const run = await applyRetention();
    expect(run).toMatchObject(
      Array(run.length).fill({ organisation, entries: "1", method: "drop" }),
    );
    const allowed = Math.min(3, months.length - dropped);
    if (await endedEarly()) expect(run.length).toBeLessThanOrEqual(allowed);
    else expect(run).toHaveLength(allowed);
    dropped += run.length;
    expect(await left(ids)).toEqual(ids.slice(dropped));
  }
  expect(await applyRetention()).toEqual([]);
});

test.each([
  ["a legal hold", "select pgtrail.place_legal_hold(null, 'a case')"],
  ["an erasure", "select pgtrail.erase('public.audit_log', gen_random_uuid(), '{details}', 'x')"],
  ["a recount", "select pgtrail.recount('public.audit_log')"],
  ["sealing", "select pgtrail.seal()"],
  [
    "what an archive is recorded with",
    "select pgtrail.record_archive('public.audit_log', '2024-01-01', 1, 0, sha256('x'), '/srv/x')",
  ],
])("%s waits for a purge that is under way", async (_name, statement) => {
  const purger = await database.superuser.connect();
  const other = await database.superuser.connect();
  try {
    await purger.query("begin");
    await purger.query("select pgtrail.apply_retention()");
    await other.query("set lock_timeout = '50ms'");
    expect(await sqlstate(other.query(statement))).toBe("55P03");
  } finally {
    await purger.query("rollback");
    purger.release();
    other.release(true);
  }
});
