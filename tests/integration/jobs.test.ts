import { existsSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { BIN_DIRECTORY } from "../../scripts/lib/dump.js";
import { migrate } from "../../src/database/migrate.js";
import { ids, sqlstate, useCluster, useDatabase } from "../harness/index.js";
import { seal, verify } from "../harness/log.js";
import { createTestDatabase, databaseUrl } from "../harness/template.js";

const library = join(BIN_DIRECTORY, "../lib/pg_cron.so");
const available = existsSync(library);
const name = "pgtrail_jobs";

interface ScheduledJob {
  job: string;
  scheduler: string;
  schedule: string;
}

const byWorker = [
  { job: "pgtrail_seal", scheduler: "pgtrail worker", schedule: "* * * * *" },
  { job: "pgtrail_maintain", scheduler: "pgtrail worker", schedule: "17 3 * * *" },
];

async function scheduleJobs(pool: pg.Pool): Promise<ScheduledJob[]> {
  return (await pool.query<ScheduledJob>("select * from pgtrail.schedule_jobs()")).rows;
}

describe("without pg_cron", () => {
  const database = useDatabase();

  test("schedule_jobs names the worker, and changes nothing", async () => {
    const objects = "select count(*)::int as objects from pg_class";
    const before = (await database.superuser.query(objects)).rows;
    expect(await scheduleJobs(database.migrator)).toEqual(byWorker);
    expect(await scheduleJobs(database.migrator)).toEqual(byWorker);
    expect((await database.superuser.query(objects)).rows).toEqual(before);
  });

  test("health says nothing about jobs of pg_cron", async () => {
    const { rows } = await database.migrator.query(
      "select check_name from pgtrail.health() where check_name = 'jobs'",
    );
    expect(rows).toEqual([]);
  });

  test("schedule_jobs is for the owner and its members only", async () => {
    for (const persona of ["anon", "coordinatorA", "service", "auditor"] as const) {
      const call = database.as(persona, (client) =>
        client.query("select * from pgtrail.schedule_jobs()"),
      );
      expect(await sqlstate(call), persona).toBe("42501");
    }
  });
});

describe("seal and maintain at once", () => {
  const database = useDatabase();

  test("sealing waits for nobody who makes partitions: they could wait for each other", async () => {
    await database.superuser.query(
      "insert into audit_log (organisation_id, action) values ($1, 'to be sealed')",
      [ids.organisationA],
    );
    const maintainer = await database.migrator.connect();
    const sealer = await database.migrator.connect();
    try {
      await maintainer.query("begin");
      await maintainer.query(
        "select pgtrail.ensure_partitions(relation, now(), now()) from pgtrail.trail",
      );
      await sealer.query("set lock_timeout = '2s'");
      await sealer.query("select pgtrail.seal()");
    } finally {
      await maintainer.query("rollback");
      maintainer.release();
      sealer.release(true);
    }
  });
});

describe.runIf(available)(
  `with pg_cron${available ? "" : ` (not run: there is no ${library})`}`,
  () => {
    // pg_cron is a client of the server; it has no socket file here, and 127.0.0.1 trusts everybody.
    const cluster = useCluster(
      {
        fsync: "off",
        shared_preload_libraries: "pg_cron",
        "cron.database_name": name,
        "cron.host": "127.0.0.1",
      },
      "debian",
    );
    /** The role that migrated, which is no superuser and may use the schema cron. */
    let migrator: pg.Pool;
    let superuser: pg.Pool;

    beforeAll(async () => {
      await createTestDatabase(cluster.cluster.url(), name);
      const url = (role?: "migrator") => databaseUrl(cluster.cluster.url(), name, role);
      migrator = new pg.Pool({ connectionString: url("migrator") });
      superuser = new pg.Pool({ connectionString: url() });
    });

    afterAll(async () => {
      await migrator?.end();
      await superuser?.end();
    });

    async function health(pool: pg.Pool, role?: string) {
      const client = await pool.connect();
      try {
        if (role) await client.query(`set role ${role}`);
        const { rows } = await client.query(
          "select status, detail from pgtrail.health() where check_name = 'jobs'",
        );
        return rows;
      } finally {
        client.release(true);
      }
    }

    /** Status of the runs of a job that have ended, once there are any: pg_cron begins at each full minute. */
    async function runsOf(job: string): Promise<{ status: string; return_message: string }[]> {
      return vi.waitFor(
        async () => {
          const { rows } = await superuser.query(
            `select run.status, run.return_message
             from cron.job join cron.job_run_details as run using (jobid)
             where job.jobname = $1 and run.status in ('succeeded', 'failed')
             order by run.runid`,
            [job],
          );
          expect(rows).not.toEqual([]);
          return rows;
        },
        { timeout: 130_000, interval: 500 },
      );
    }

    const jobs = [
      ["pgtrail_seal", "* * * * *", "select pgtrail.seal()"],
      ["pgtrail_maintain", "17 3 * * *", "select pgtrail.maintain()"],
      [
        "pgtrail_cron_cleanup",
        "47 3 * * *",
        "delete from cron.job_run_details where end_time < now() - interval '7 days'",
      ],
    ] as const;

    async function expectJobsOnce(): Promise<void> {
      const { rows } = await superuser.query(
        "select jobname, schedule, command, database, username, active from cron.job order by command desc",
      );
      expect(rows).toEqual(
        jobs.map(([jobname, schedule, command]) => ({
          jobname,
          schedule,
          command,
          database: name,
          username: "migrator",
          active: true,
        })),
      );
    }

    test("migrating schedules each job once, as the migrating role, however often it migrates", async () => {
      await expectJobsOnce();
      await migrate({ databaseUrl: databaseUrl(cluster.cluster.url(), name, "migrator") });
      await expectJobsOnce();
    });

    test("schedule_jobs schedules each job once, however often it is called", async () => {
      await migrator.query("select cron.unschedule('pgtrail_maintain')");
      const expected = jobs.map(([job, schedule]) => ({ job, scheduler: "pg_cron", schedule }));
      for (let call = 0; call < 3; call++) expect(await scheduleJobs(migrator)).toEqual(expected);
      await expectJobsOnce();
    });

    test("schedule_jobs puts back a schedule that was changed", async () => {
      await migrator.query(
        "select cron.schedule('pgtrail_seal', '0 0 1 1 *', 'select pgtrail.seal(1)')",
      );
      await scheduleJobs(migrator);
      const { rows } = await superuser.query(
        "select schedule, command from cron.job where jobname = 'pgtrail_seal'",
      );
      expect(rows).toEqual([{ schedule: "* * * * *", command: "select pgtrail.seal()" }]);
    });

    test("jobs that have not run yet are in order", async () => {
      expect(await health(migrator)).toEqual([{ status: "ok", detail: "3 jobs of pg_cron" }]);
    });

    test("sealing and maintenance really run, and one that fails is critical", {
      timeout: 150_000,
    }, async () => {
      await superuser.query(
        "insert into audit_log (organisation_id, action) values ($1, 'to be sealed')",
        [ids.organisationA],
      );
      // In the same minute, not at night.
      const everyMinute = "select cron.schedule($1, '* * * * *', $2)";
      await migrator.query(everyMinute, ["pgtrail_maintain", "select pgtrail.maintain()"]);
      await migrator.query(everyMinute, ["pgtrail_broken", "select pgtrail.seal(0)"]);

      expect((await runsOf("pgtrail_seal"))[0]?.status).toBe("succeeded");
      const { rows } = await superuser.query("select tree_size::int as size from pgtrail.log");
      expect(rows[0].size).toBeGreaterThan(0);

      expect((await runsOf("pgtrail_broken"))[0]).toEqual({
        status: "failed",
        return_message: expect.stringContaining("max_entries must be 1 or more"),
      });
      const [found] = await health(migrator);
      expect(found.status).toBe("critical");
      expect(found.detail).toContain("pgtrail_broken failed");

      expect((await runsOf("pgtrail_maintain"))[0]).toEqual({
        status: "succeeded",
        return_message: "1 row",
      });
      await migrator.query("select cron.unschedule('pgtrail_broken')");
      expect(await health(migrator)).toEqual([{ status: "ok", detail: "3 jobs of pg_cron" }]);
    });

    test("sealing by hand at the same time does no harm", async () => {
      await Promise.all([seal(migrator), seal(migrator), seal(superuser)]);
      expect(await verify(superuser)).toEqual([]);
    });

    test("maintain can be called by hand, where its owner may not look into the schema cron", async () => {
      const { rows } = await migrator.query("select pgtrail.maintain() as done");
      expect(rows[0].done).toMatchObject({ defects: 0 });
    });

    test("maintain raises no alert about jobs that its owner may not see", async () => {
      await superuser.query("grant usage on schema cron to pgtrail_owner");
      try {
        await migrator.query("select pgtrail.maintain()");
        const { rows } = await superuser.query(
          "select severity, payload from pgtrail.alert where kind = 'jobs' and resolved_at is null",
        );
        expect(rows).toEqual([]);
      } finally {
        await superuser.query("revoke usage on schema cron from pgtrail_owner");
      }
    });

    test("an auditor asks for health, and is told nothing about jobs", async () => {
      expect(await health(superuser, "pgtrail_auditor")).toEqual([]);
    });

    test("without the extension the worker is named again", async () => {
      await superuser.query("drop extension pg_cron");
      expect(await scheduleJobs(migrator)).toEqual(byWorker);
      expect(await health(migrator)).toEqual([]);
    });
  },
);
