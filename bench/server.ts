import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { startCluster } from "../src/cluster/cluster.js";
import { migrate } from "../src/database/migrate.js";

/** What differs from Postgres' own defaults. Durability does not. */
export const SETTINGS = {
  shared_buffers: "1GB",
  max_wal_size: "8GB",
  // Neither may start in the middle of one side of a comparison.
  autovacuum: "off",
  jit: "off",
};

/** Whom a connection acts as: all but the owner log in as authenticator, as PostgREST does. */
export interface Actor {
  role: "pgtrail_owner" | "service_role" | "authenticated";
  /** Claims of the token, put into request.jwt.claims. */
  claims?: Record<string, unknown>;
}

/** A migrated database of one benchmark. */
export interface BenchDatabase {
  /** A superuser, who makes what pgtrail is compared with. */
  readonly superuser: pg.Client;
  /** Opens a connection whose whole session acts as `actor`. It ends with the database. */
  connect(actor: Actor): Promise<pg.Client>;
  /** Opens a pool of at most so many connections that act as `actor`. It ends with the database. */
  pool(actor: Omit<Actor, "claims">, connections: number): pg.Pool;
  /** Ends its connections and removes it. */
  drop(): Promise<void>;
}

/** A server of the run's own. */
export interface BenchServer {
  /** What `select version()` says. */
  readonly version: string;
  createDatabase(name: string): Promise<BenchDatabase>;
  /** Ends the server and removes its data. */
  stop(): Promise<void>;
}

/** Starts an embedded Postgres in a temporary directory and migrates its template database. */
export async function startServer(): Promise<BenchServer> {
  const directory = await mkdtemp(join(tmpdir(), "pgtrail-bench-"));
  // Postgres may run under another account than ours.
  await chmod(directory, 0o755);
  const cluster = await startCluster({ directory, settings: SETTINGS, authentication: "trust" });
  const remove = async () => {
    await cluster.stop("immediate");
    await rm(directory, { recursive: true, force: true });
  };
  const admin = await open(cluster.url());
  try {
    await admin.query("create role migrator login nosuperuser createrole createdb");
    await admin.query("create role authenticator login nosuperuser noinherit");
    await admin.query("create database migrated owner migrator");
    await migrate({ databaseUrl: cluster.url({ user: "migrator", database: "migrated" }) });
    await admin.query("grant authenticated, service_role to authenticator");
  } catch (error) {
    await admin.end();
    await remove();
    throw error;
  }
  const { rows } = await admin.query("select version()");

  return {
    version: rows[0].version,
    async createDatabase(name) {
      await admin.query(`create database ${name} owner migrator template migrated`);
      const superuser = await open(cluster.url({ database: name }));
      const opened: { end(): Promise<void> }[] = [superuser];
      return {
        superuser,
        async connect(actor) {
          const client = await open(cluster.url({ user: loginOf(actor), database: name }));
          opened.push(client);
          await client.query(
            "select set_config('role', $1, false), set_config('request.jwt.claims', $2, false)",
            [actor.role, JSON.stringify({ role: actor.role, ...actor.claims })],
          );
          return client;
        },
        pool(actor, connections) {
          const pool = new pg.Pool({
            connectionString: cluster.url({ user: loginOf(actor), database: name }),
            options: `-c role=${actor.role}`,
            max: connections,
          });
          opened.push(pool);
          return pool;
        },
        async drop() {
          await Promise.all(opened.map((each) => each.end()));
          await admin.query(`drop database ${name} with (force)`);
        },
      };
    },
    async stop() {
      await admin.end();
      await remove();
    },
  };
}

function loginOf({ role }: Actor): string {
  return role === "pgtrail_owner" ? "postgres" : "authenticator";
}

async function open(connectionString: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString });
  // A connection that ends with the server tells its next query, which is enough.
  client.on("error", () => {});
  await client.connect();
  return client;
}
