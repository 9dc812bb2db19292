import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type pg from "pg";
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { reportSqlCoverage } from "../../scripts/coverage_sql.js";
import type { StatementRuns } from "../harness/coverage.js";
import {
  ids,
  type PersonaName,
  personas,
  sqlstate,
  useCluster,
  useDatabase,
  withClient,
} from "../harness/index.js";
import { binDirectoryOf, openServer, startContainer, type TestServer } from "../harness/server.js";

const database = useDatabase();
const personaNames = Object.keys(personas) as PersonaName[];

describe("the server of a run", () => {
  const server: TestServer = { url: "postgresql://embedded", stop: async () => {} };
  const container: TestServer = { url: "postgresql://container", stop: async () => {} };
  const starters = { embedded: async () => server, docker: async () => container };

  test("is an embedded one by default", async () => {
    expect(await openServer({}, starters)).toBe(server);
  });

  test("is a container on request", async () => {
    expect(await openServer({ TEST_DATABASE: "docker" }, starters)).toBe(container);
  });

  test("is not guessed", async () => {
    await expect(openServer({ TEST_DATABASE: "podman" }, starters)).rejects.toThrow(
      'unknown TEST_DATABASE "podman"',
    );
    await expect(
      openServer({ TEST_DATABASE: "docker", DATABASE_URL: database.url() }, starters),
    ).rejects.toThrow("unset one of them");
  });

  test("is any server whose database is marked", async () => {
    await database.superuser.query(
      `alter database ${database.name} set pgtrail.test_database = 'on'`,
    );
    try {
      expect(await openServer({ DATABASE_URL: database.url() }, starters)).toMatchObject({
        url: database.url(),
      });
    } finally {
      await database.superuser.query(`alter database ${database.name} reset pgtrail.test_database`);
    }
  });

  test("is refused when its database is not marked", async () => {
    await expect(openServer({ DATABASE_URL: database.url() }, starters)).rejects.toThrow(
      `alter database ${database.name} set pgtrail.test_database = 'on';`,
    );
  });

  test("is refused when the role cannot make databases and roles", async () => {
    const url = `${database.url("authenticator")}?options=-c%20pgtrail.test_database%3Don`;
    await expect(openServer({ DATABASE_URL: url }, starters)).rejects.toThrow(
      'role "authenticator" may not create databases and roles',
    );
  });

  test("has the version that PGTRAIL_TEST_POSTGRES asks for", async () => {
    expect(binDirectoryOf(undefined)).toBeUndefined();
    expect(binDirectoryOf("18")).toBeUndefined();
    expect(binDirectoryOf("debian")).toBe("/usr/lib/postgresql/15/bin");
    expect(() => binDirectoryOf("9.6")).toThrow('unknown PGTRAIL_TEST_POSTGRES "9.6"');

    const images: unknown[] = [];
    const getDatabase = async (options: object) => {
      images.push(options);
      return { databaseURL: "postgresql://container", kill: async () => {} };
    };
    await startContainer({}, getDatabase);
    const { url } = await startContainer({ PGTRAIL_TEST_POSTGRES: "16" }, getDatabase);
    expect(images).toEqual([{}, { image: "postgres:16-alpine" }]);
    expect(url).toBe("postgresql://container");
  });
});

describe("the database of a file", () => {
  test("belongs to a migrator that is no superuser", async () => {
    const { rows } = await database.migrator.query(
      `select current_user as role, rolsuper, rolcreaterole, pg_get_userbyid(datdba) as owner
       from pg_roles, pg_database
       where rolname = current_user and datname = current_database()`,
    );
    expect(rows).toEqual([
      { role: "migrator", rolsuper: false, rolcreaterole: true, owner: "migrator" },
    ]);
  });

  test("is no template and no other file's", async () => {
    const { rows } = await database.superuser.query(
      "select datname, datistemplate from pg_database where datname = current_database()",
    );
    expect(rows).toEqual([{ datname: database.name, datistemplate: false }]);
  });
});

describe("a persona", () => {
  test.each(personaNames)("%s is a role and claims for one transaction", async (name) => {
    const who = `select current_user as role, session_user as login,
                        current_setting('request.jwt.claims', true) as claims`;
    const { rows } = await database.as(name, (client) => client.query(who));
    expect(rows[0]).toMatchObject({ role: personas[name].role, login: "authenticator" });
    expect(JSON.parse(rows[0].claims)).toEqual(personas[name].claims);
  });

  test.each(personaNames)("%s is the same in pgTAP files", async (name) => {
    const persona = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    await withClient(database.url(), async (client) => {
      await client.query("begin");
      await client.query("select tests.act_as($1)", [persona]);
      const { rows } = await client.query(
        "select current_user as role, current_setting('request.jwt.claims')::json as claims",
      );
      expect(rows[0]).toEqual(personas[name]);
      await client.query("select tests.act_as_owner()");
      expect((await client.query("select current_user")).rows[0].current_user).toBe(
        "pgtrail_owner",
      );
      await client.query("select tests.act_as_self()");
      expect((await client.query("select current_user = session_user as self")).rows[0].self).toBe(
        true,
      );
    });
  });

  test("that nobody knows is an error in pgTAP files", async () => {
    expect(await sqlstate(database.superuser.query("select tests.act_as('nobody')"))).toBe("22023");
  });

  test("has the same ids in pgTAP files", async () => {
    const names = Object.keys(ids).map((name) =>
      name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
    );
    const { rows } = await database.superuser.query({
      text: `select ${names.map((name) => `tests.${name}()`).join(", ")}`,
      rowMode: "array",
    });
    expect(rows[0]).toEqual(Object.values(ids));
  });

  test("has the memberships that its name says", async () => {
    const { rows } = await database.as("service", (client) =>
      client.query(
        `select user_id, array_agg(role || ' ' || organisation_id order by organisation_id) as roles
         from public.organisation_members
         group by user_id`,
      ),
    );
    expect(Object.fromEntries(rows.map(({ user_id, roles }) => [user_id, roles]))).toEqual({
      [ids.coordinatorA]: [`coordinator ${ids.organisationA}`],
      [ids.peerMentorA]: [`peer_mentor ${ids.organisationA}`],
      [ids.chapterAdminA]: [`chapter_admin ${ids.organisationA}`],
      [ids.orgAdminA]: [`org_admin ${ids.organisationA}`],
      [ids.coordinatorB]: [`coordinator ${ids.organisationB}`],
      [ids.coordinatorOfBoth]: [
        `coordinator ${ids.organisationA}`,
        `coordinator ${ids.organisationB}`,
      ],
    });
  });
});

describe("a persona's transaction", () => {
  const name = "A name for a test";
  const insert = (client: pg.ClientBase) =>
    client.query("insert into public.organisations (name) values ($1)", [name]);

  async function written(): Promise<number> {
    const { rowCount } = await database.as("service", (client) =>
      client.query("delete from public.organisations where name = $1", [name]),
    );
    return rowCount ?? 0;
  }

  test("commits", async () => {
    await database.as("service", insert);
    expect(await written()).toBe(1);
  });

  test("rolls back on request, and when the work throws", async () => {
    await database.as("service", insert, { rollback: true });
    const failing = database.as("service", async (client) => {
      await insert(client);
      throw new Error("thrown by the test");
    });
    await expect(failing).rejects.toThrow("thrown by the test");
    expect(await written()).toBe(0);
  });

  test("can be read only", async () => {
    expect(await sqlstate(database.as("service", insert, { readOnly: true }))).toBe("25006");
  });

  test("leaves nothing of the persona behind", async () => {
    let used: pg.PoolClient | undefined;
    await database.as("coordinatorA", async (client) => {
      used = client;
    });
    const { rows } = await (used as pg.PoolClient).query("select current_user as role");
    expect(rows[0].role).toBe("authenticator");
  });
});

describe("sqlstate", () => {
  test("fails when nothing is refused, or when the failure has no SQLSTATE", async () => {
    await expect(sqlstate(database.superuser.query("select 1 as one"))).rejects.toThrow(
      'it succeeded: [{"one":1}]',
    );
    await expect(sqlstate(Promise.reject(new Error("timeout")))).rejects.toThrow("timeout");
  });
});

describe("plansAs", () => {
  beforeAll(async () => {
    await database.superuser.query(`
      create function tests.count_organisations() returns bigint language plpgsql as $$
      begin
          return (select count(*) from public.organisations);
      end $$`);
  });

  test("sees the statements inside functions, as the persona and under its policies", async () => {
    const plans = await database.plansAs("coordinatorA", (client) =>
      client.query("select tests.count_organisations()"),
    );
    expect(plans.map(({ query }) => query.trim())).toEqual([
      "(select count(*) from public.organisations)",
      "select tests.count_organisations()",
    ]);
    const tables = plans[0]?.nodes.map((node) => node["Relation Name"]).filter(Boolean);
    expect(tables).toContain("organisations");
    expect(tables).toContain("organisation_members");
  });
});

describe("a cluster of its own", () => {
  const cluster = useCluster();
  const own = useDatabase(cluster);

  test("keeps what was committed through a crash", async () => {
    await own.as("service", (client) =>
      client.query("insert into public.organisations (name) values ('Survivor')"),
    );
    await cluster.crash();
    await withClient(own.url(), async (client) => {
      const { rows } = await client.query(
        "select current_setting('fsync') as fsync, name from public.organisations where name = 'Survivor'",
      );
      expect(rows).toEqual([{ fsync: "on", name: "Survivor" }]);
    });
  });
});

describe("coverage of SQL statements", () => {
  let directory: string;
  let printed: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "pgtrail-coverage-"));
    printed = "";
    for (const stream of ["log", "error"] as const) {
      vi.spyOn(console, stream).mockImplementation((text: string) => {
        printed += `${text}\n`;
      });
    }
  });
  afterEach(async () => {
    vi.restoreAllMocks();
    await rm(directory, { recursive: true });
  });

  /** Five statements of one function in one database, of which the given ones ran. */
  function runs(name: string, ...ran: number[]): StatementRuns[] {
    return [0, 1, 2, 3, 4].map((statement) => ({
      function: `${name}(uuid)`,
      statement,
      line: statement + 10,
      kind: "assignment",
      runs: ran.includes(statement) ? 3 : 0,
    }));
  }

  async function report(...databases: StatementRuns[][]): Promise<boolean> {
    for (const [index, each] of databases.entries()) {
      await writeFile(join(directory, `${index}.json`), JSON.stringify(each));
    }
    return reportSqlCoverage(directory);
  }

  test("adds up the databases and names the lines that never ran", async () => {
    expect(await report(runs("pgtrail.f", 0, 1), runs("pgtrail.f", 1, 2, 4))).toBe(true);
    expect(printed).toMatch(/pgtrail\.f +│ +5 │ +4 │ +80\.0 │ 13 /);
    expect(printed).toMatch(/total +│ +5 │ +4 │ +80\.0 │/);
  });

  test("fails below 80 per cent, and when nothing was measured", async () => {
    expect(await report(runs("pgtrail.f", 0, 1, 2))).toBe(false);
    expect(printed).toContain("60.0% of the SQL statements ran, 80% are required");
    await rm(join(directory, "0.json"));
    expect(await report()).toBe(false);
  });

  test("leaves out functions that only a test's database has", async () => {
    const both = [...runs("pgtrail.f", 0, 1, 2, 3, 4), ...runs("pgtrail.of_a_test")];
    expect(await report(both, runs("pgtrail.f"))).toBe(true);
    expect(printed).not.toContain("of_a_test");
  });
});
