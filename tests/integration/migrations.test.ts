import { execFile } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { promisify } from "node:util";
import type pg from "pg";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { generateTypes } from "../../scripts/lib/types.js";
import { examine } from "../../src/doctor/examine.js";
import { migrate, migrationsDirectory } from "../../src/migrate.js";
import { withClient } from "../harness/index.js";
import {
  createDatabase,
  databaseUrl,
  dropDatabase,
  uniqueDatabaseName,
} from "../harness/template.js";

const run = promisify(execFile);
const made: string[] = [];

/** An empty database that belongs to migrator, no superuser. */
async function emptyDatabase(prepare = ""): Promise<{ url: string; adminUrl: string }> {
  const { url: serverUrl } = inject("server");
  const name = uniqueDatabaseName();
  made.push(name);
  await createDatabase(serverUrl, name);
  const adminUrl = databaseUrl(serverUrl, name);
  if (prepare) await withClient(adminUrl, (client) => client.query(prepare));
  return { url: databaseUrl(serverUrl, name, "migrator"), adminUrl };
}

/** A database that was migrated in the usual way, for tests that only look at it. */
const migrated = { url: "", applied: [] as string[], lines: [] as string[] };

beforeAll(async () => {
  migrated.url = (await emptyDatabase()).url;
  const log = (line: string) => migrated.lines.push(line);
  const { applied } = await migrate({ databaseUrl: migrated.url, log });
  migrated.applied = applied.map((name) => `${name}.sql`);
});

afterAll(async () => {
  for (const name of made) await dropDatabase(inject("server").url, name);
});

const files = (await readdir(migrationsDirectory())).filter((name) => name.endsWith(".sql")).sort();

async function versions(client: pg.ClientBase): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    "select name from pgtrail.pgmigrations order by id",
  );
  return rows.map((row) => `${row.name}.sql`);
}

describe("pgtrail migrate", () => {
  test("brings an empty database to a healthy state, and a second run finds nothing to do", async () => {
    const { url, applied, lines } = migrated;
    expect(applied).toEqual(files);
    expect(lines).toHaveLength(files.length);
    expect(await migrate({ databaseUrl: url })).toEqual({ applied: [] });
    expect(await withClient(url, examine)).toEqual([]);
  });

  test("20 runs at once: one applies each migration, the others wait and find nothing to do", async () => {
    const { url } = await emptyDatabase();
    const runs = await Promise.all(Array.from({ length: 20 }, () => migrate({ databaseUrl: url })));
    expect(runs.flatMap((result) => result.applied.map((name) => `${name}.sql`)).sort()).toEqual(
      files,
    );
    expect(await withClient(url, versions)).toEqual(files);
    expect(await withClient(url, examine)).toEqual([]);
  });

  test("two databases of one cluster at once share the roles", async () => {
    const databases = await Promise.all([emptyDatabase(), emptyDatabase(), emptyDatabase()]);
    await Promise.all(databases.map(({ url }) => migrate({ databaseUrl: url })));
    for (const { url } of databases) expect(await withClient(url, examine)).toEqual([]);
  });

  test("the migrating role is no superuser, and no login role owns anything", async () => {
    const { rows } = await withClient(migrated.url, (client) =>
      client.query(`select current_user, (select rolsuper from pg_roles where rolname = current_user) as super,
        array(select distinct relowner::regrole::text from pg_class
          where relnamespace in ('public'::regnamespace, 'pgtrail_partitions'::regnamespace) and relkind in ('r', 'p')) as owners`),
    );
    expect(rows).toEqual([{ current_user: "migrator", super: false, owners: ["pgtrail_owner"] }]);
  });

  test("is refused where the Supabase CLI applied them", async () => {
    const { url } = await emptyDatabase();
    await withClient(url, (client) =>
      client.query(`create schema supabase_migrations;
        create table supabase_migrations.schema_migrations (version text primary key);
        insert into supabase_migrations.schema_migrations values ('${files[0]?.slice(0, 14)}')`),
    );
    await expect(migrate({ databaseUrl: url })).rejects.toMatchObject({
      message: expect.stringContaining("the Supabase CLI has applied pgtrail's migrations"),
      hint: expect.stringContaining("supabase db push"),
    });
    const { rows } = await withClient(url, (client) =>
      client.query("select to_regnamespace('pgtrail') as schema"),
    );
    expect(rows).toEqual([{ schema: null }]);
  });
});

describe("default privileges do not reach what pgtrail makes", () => {
  const worlds: Record<string, string> = {
    "Supabase before 2026-10-30": `
      alter default privileges for role migrator in schema public grant all on tables to anon, authenticated, service_role;
      alter default privileges for role migrator in schema public grant all on functions to anon, authenticated, service_role;
      alter default privileges for role migrator in schema public grant all on sequences to anon, authenticated, service_role`,
    "everything that anybody makes is everybody's": ["migrator", "pgtrail_owner"]
      .flatMap((role) => ["tables", "functions", "sequences"].map((kind) => [role, kind]))
      .map(
        ([role, kind]) =>
          `alter default privileges for role ${role} grant all on ${kind} to public, anon, authenticated, service_role, pgtrail_auditor`,
      )
      .join(";"),
    "nothing is anybody's": `
      alter default privileges for role migrator revoke all on functions from public;
      alter default privileges for role pgtrail_owner revoke all on functions from public;
      revoke all on schema public from public`,
  };

  test.each(Object.entries(worlds))("%s", async (_name, prepare) => {
    const { url, adminUrl } = await emptyDatabase(prepare);
    await migrate({ databaseUrl: url });
    expect(await withClient(url, examine)).toEqual([]);
    // An API role can tell no history table from none.
    const { rows } = await withClient(adminUrl, (client) =>
      client.query(`select role, has_table_privilege(role, 'pgtrail.pgmigrations', 'select, insert, update, delete') as can
        from unnest('{anon,authenticated,service_role,pgtrail_auditor}'::text[]) as role`),
    );
    expect(rows.filter((row) => row.can)).toEqual([]);
  });
});

describe("a database with organisations of its own keeps them", () => {
  test("and connects them through pgtrail.membership", async () => {
    const { url, adminUrl } = await emptyDatabase(`
      create table public.organisations (id bigint primary key, title text);
      create table public.organisation_members (profile uuid, org uuid, kind text)`);
    await migrate({ databaseUrl: url });
    const findings = await withClient(url, examine);
    expect(findings.filter((finding) => finding.check === "membership")).toMatchObject([
      { message: expect.stringContaining("reads no table") },
    ]);
    await withClient(adminUrl, (client) =>
      client.query(`grant select on public.organisation_members to pgtrail_owner;
        create or replace view pgtrail.membership as
        select profile::text as user_id, org as organisation_id, kind as role from public.organisation_members`),
    );
    expect(
      (await withClient(url, examine)).filter((finding) => finding.check === "membership"),
    ).toEqual([]);
  });
});

describe("the tools' own command lines", () => {
  const root = new URL("../..", import.meta.url).pathname;

  test("node-pg-migrate applies the folder as it is, and a second time does nothing", async () => {
    const { url } = await emptyDatabase();
    const nodePgMigrate = () =>
      run(
        "node_modules/.bin/node-pg-migrate",
        [
          "up",
          "-m",
          "migrations",
          "--migrations-schema",
          "pgtrail",
          "--create-migrations-schema",
          "--no-single-transaction",
        ],
        { cwd: root, env: { ...process.env, DATABASE_URL: url } },
      );
    await nodePgMigrate();
    const { stdout } = await nodePgMigrate();
    expect(stdout).toContain("No migrations to run!");
    expect(await withClient(url, examine)).toEqual([]);
    expect(await migrate({ databaseUrl: url })).toEqual({ applied: [] });
  });

  /** Runs the Supabase CLI. Without Docker, account or network: it is given a database URL. */
  const supabase = (...args: string[]) =>
    run("node_modules/.bin/supabase", args, {
      cwd: root,
      env: { ...process.env, SUPABASE_TELEMETRY_DISABLED: "1", PGSSLMODE: "disable" },
    });

  test("the Supabase CLI applies its copy, its advisors find nothing, and the other tool is refused", async () => {
    const { url, adminUrl } = await emptyDatabase();
    await supabase("db", "push", `--remote=${url}`, "--yes");
    expect(await withClient(url, examine)).toEqual([]);

    // Without this setting, which Supabase has, the advisors are silent about everything exposed.
    const name = new URL(adminUrl).pathname.slice(1);
    await withClient(adminUrl, (client) =>
      client.query(`alter database ${name} set pgrst.db_schemas = 'public,graphql_public'`),
    );
    const advisors = await supabase(
      "db",
      "advisors",
      `--remote=${url}`,
      "--level",
      "info",
      "--output-format",
      "json",
    );
    // On an empty database no index has been used yet.
    const { results } = JSON.parse(advisors.stdout) as { results: Array<{ name: string }> };
    expect(results.length).toBeGreaterThan(0);
    expect(results.filter((lint) => lint.name !== "unused_index")).toEqual([]);

    expect(await generateTypes(root, url)).toBe(
      await readFile(`${root}src/database_types.ts`, "utf8"),
    );

    await expect(migrate({ databaseUrl: url })).rejects.toThrow("the Supabase CLI has applied");
    await expect(
      run(
        "node_modules/.bin/node-pg-migrate",
        [
          "up",
          "-m",
          "migrations",
          "--migrations-schema",
          "pgtrail",
          "--create-migrations-schema",
          "--no-single-transaction",
        ],
        { cwd: root, env: { ...process.env, DATABASE_URL: url } },
      ),
    ).rejects.toMatchObject({
      stderr: expect.stringContaining("pgtrail is already installed in this database"),
    });
  });

  test("the Supabase CLI is refused where node-pg-migrate applied them", async () => {
    const { url } = migrated;
    await expect(supabase("db", "push", `--remote=${url}`, "--yes")).rejects.toMatchObject({
      stderr: expect.stringContaining("pgtrail is already installed in this database"),
    });
    expect(await withClient(url, examine)).toEqual([]);
  });
});
