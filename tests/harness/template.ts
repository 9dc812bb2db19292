import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import pg from "pg";
import { migrate } from "../../src/migrate.js";

/** Password of the login roles that the suite makes; a cluster with trust ignores it. */
const rolePassword = "pgtrail-test";

/** Roles that tests log in as, apart from the administrator. */
export type LoginRole = "migrator" | "authenticator";

/** A name for a database that no other run uses. */
export function uniqueDatabaseName(): string {
  return `pgtrail_test_${randomBytes(6).toString("hex")}`;
}

/**
 * Connection URL for a database on the server of `adminUrl`, as a login role or, without one, as
 * the administrator.
 */
export function databaseUrl(adminUrl: string, database: string, role?: LoginRole): string {
  const url = new URL(adminUrl);
  url.pathname = `/${encodeURIComponent(database)}`;
  if (role) {
    url.username = role;
    url.password = rolePassword;
  }
  return url.toString();
}

/** Runs `work` on a connection of its own. */
export async function withClient<T>(
  url: string,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** Makes `migrator` and `authenticator` where they are missing; a server keeps them between runs. */
export async function createLoginRoles(admin: pg.Client): Promise<void> {
  const attributes = {
    migrator: "nosuperuser createrole createdb",
    authenticator: "nosuperuser noinherit",
  };
  for (const [role, attribute] of Object.entries(attributes)) {
    const { rowCount } = await admin.query("select from pg_roles where rolname = $1", [role]);
    if (!rowCount) {
      await admin.query(`create role ${role} login ${attribute} password '${rolePassword}'`);
    }
  }
  // The administrator makes databases for migrator; one that is no superuser has to be a member.
  const { rows } = await admin.query("select pg_has_role('migrator', 'usage') as usable");
  if (!rows[0].usable) await admin.query("grant migrator to current_user");
}

/**
 * Lets `authenticator` become any of the API roles, and an administrator that is no superuser too:
 * the personas of pgTAP files switch from there.
 */
async function grantApiRoles(adminUrl: string, database: string): Promise<void> {
  const apiRoles = "anon, authenticated, service_role, pgtrail_auditor";
  await withClient(databaseUrl(adminUrl, database), async (admin) => {
    const { rows } = await admin.query(
      "select quote_ident(rolname) as name, rolsuper from pg_roles where rolname = current_user",
    );
    if (rows[0].rolsuper) {
      await admin.query(`grant ${apiRoles} to authenticator`);
    } else {
      // The migrations made these roles, so only migrator may hand them on.
      await withClient(databaseUrl(adminUrl, database, "migrator"), (migrator) =>
        migrator.query(`grant ${apiRoles} to authenticator, ${rows[0].name}`),
      );
    }
  });
}

/** pgTAP as SQL, for servers without the extension: the same text that PGlite loads. */
async function pgtapSource(): Promise<string> {
  const entry = createRequire(import.meta.url).resolve("@electric-sql/pglite-pgtap");
  const { stdout } = await promisify(execFile)(
    "tar",
    ["-xzOf", join(dirname(entry), "pgtap.tar.gz"), "share/postgresql/extension/pgtap.sql"],
    { maxBuffer: 16 * 1024 * 1024 },
  );
  return stdout;
}

/** Loads pgTAP into schema `extensions`, where Supabase keeps it. */
async function loadPgtap(admin: pg.Client): Promise<void> {
  await admin.query("create schema if not exists extensions");
  await admin.query("grant usage on schema extensions to public");
  const { rowCount } = await admin.query(
    "select from pg_available_extensions where name = 'pgtap'",
  );
  if (rowCount) {
    await admin.query("create extension if not exists pgtap schema extensions");
  } else {
    await admin.query(`set search_path = extensions;\n${await pgtapSource()}`);
    await admin.query("reset search_path");
  }
}

/** Creates an empty database for migrator, optionally as a copy of a template. */
export async function createDatabase(
  adminUrl: string,
  name: string,
  template = "template1",
): Promise<void> {
  await withClient(adminUrl, async (admin) => {
    await admin.query(`create database ${name} owner migrator template ${template}`);
    // A copy does not inherit settings of its template.
    await admin.query(`alter database ${name} set search_path = "$user", public, extensions`);
  });
}

/**
 * Makes a database that tests can use: migrated as `migrator`, with pgTAP in schema `extensions`
 * and the helpers, organisations and memberships of `tests.sql`.
 *
 * @param adminUrl administrator of the server
 * @param name name of the new database: a plain identifier
 */
export async function createTestDatabase(adminUrl: string, name: string): Promise<void> {
  await withClient(adminUrl, createLoginRoles);
  await createDatabase(adminUrl, name);
  const helpers = await readFile(new URL("tests.sql", import.meta.url), "utf8");

  await withClient(databaseUrl(adminUrl, name), async (admin) => {
    // pg_cron lives in one database of a cluster, and jobs are scheduled by migrations.
    const { rows } = await admin.query(
      "select current_setting('cron.database_name', true) = current_database() as has_cron",
    );
    if (rows[0].has_cron) {
      await admin.query("create extension pg_cron");
      await admin.query("grant usage on schema cron to migrator with grant option");
    }
  });
  await migrate({ databaseUrl: databaseUrl(adminUrl, name, "migrator") });
  await grantApiRoles(adminUrl, name);
  await withClient(databaseUrl(adminUrl, name), async (admin) => {
    await loadPgtap(admin);
    await admin.query(helpers);
  });
}

/**
 * Makes the template that every test file's database is copied from. Nobody can connect to it, so
 * that copies never wait.
 *
 * @returns its name
 */
export async function createTemplate(adminUrl: string): Promise<string> {
  const name = uniqueDatabaseName();
  await createTestDatabase(adminUrl, name);
  await withClient(adminUrl, (admin) =>
    admin.query(`alter database ${name} with is_template true allow_connections false`),
  );
  return name;
}

/** Drops a database, or a template, that the suite made. */
export async function dropDatabase(adminUrl: string, name: string): Promise<void> {
  await withClient(adminUrl, async (admin) => {
    await admin.query(`alter database ${name} with is_template false`);
    await admin.query(`drop database ${name} with (force)`);
  });
}
