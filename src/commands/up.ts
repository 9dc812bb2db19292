import { relative } from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import type pg from "pg";
import { type Cluster, freePort, startCluster } from "../cluster/cluster.js";
import { connect } from "../database/connection.js";
import { migrate } from "../database/migrate.js";
import { loadSample } from "../demo/load.js";
import { showTour } from "../demo/tour.js";
import { UserError } from "../errors/user_error.js";
import { listenForSignals } from "../system/signals.js";
import { count, INDENT, type Screen, silentScreen, terminalScreen } from "../system/terminal.js";
import { runWorker } from "../worker/worker.js";
import { PLATFORM_ORGANISATION } from "../writer/entry.js";
import { MAINTAIN_SECONDS, SEAL_SECONDS } from "./worker.js";

const DEFAULT_PORT = 54329;
const DATABASE = "pgtrail";

interface UpOptions {
  demo?: true;
  directory: string;
  port?: number;
  json?: true;
}

/** `pgtrail up`: a local Postgres with pgtrail in it, for as long as the command runs. */
export function upCommand(): Command {
  return new Command("up")
    .description("run a local Postgres with pgtrail in it, sealed and maintained, until Ctrl-C")
    .option("--demo", "load a sample platform and show what pgtrail does")
    .option("--directory <path>", "where the data is kept between runs", ".pgtrail")
    .addOption(
      new Option(
        "--port <number>",
        `port on 127.0.0.1; 0 is any free one (default: ${DEFAULT_PORT}, or a free one when that is in use)`,
      ).argParser(parsePort),
    )
    .option("--json", "print one line of JSON when the server is ready, and nothing else")
    .addHelpText(
      "after",
      "\nExample:\n  pgtrail up --demo\n" +
        "\nSIGINT (Ctrl-C) and SIGTERM stop the server; a second one does not wait for open work." +
        "\nExit codes: 0 stopped by a signal, 1 something is wrong, 2 usage.",
    )
    .action(up);
}

function parsePort(text: string): number {
  const port = Number(text);
  if (/^\d+$/.test(text) && port <= 65535) return port;
  throw new InvalidArgumentError("A port is a number from 0 to 65535.");
}

async function up(options: UpOptions): Promise<void> {
  const screen = options.json ? silentScreen() : terminalScreen();
  const signals = listenForSignals();
  screen.line();
  screen.line("Starting Postgres …");
  const cluster = await startCluster({
    directory: options.directory,
    port: options.port ?? (await freePort(DEFAULT_PORT)),
  });
  const gone = lost(await hold(cluster));

  const stop = new AbortController();
  const ready = makeReady(cluster, options, screen);
  const working = ready.then(() => work(cluster, screen, stop.signal));
  try {
    await Promise.race([signals.first, gone, working.then(() => gone)]);
    screen.line();
    screen.line("Stopping …");
  } finally {
    signals.second.then(() => cluster.stop("immediate")).catch(() => {});
    stop.abort();
    await cluster.stop();
    // Interrupted work fails on its lost connection, and may put the terminal in order then.
    await working.catch(() => {});
    signals.forget();
  }
  screen.line(`Stopped. The data stays in ${shown(cluster.directory)}.`);
}

/**
 * Claims the cluster for this process, for as long as the connection lives. An advisory lock and no
 * file: a process that is killed leaves nothing behind that could look as if it still ran.
 */
async function hold(cluster: Cluster): Promise<pg.Client> {
  const key = "hashtext('pgtrail up')";
  const client = await connect(cluster.url());
  await client.query(`set application_name = 'pgtrail up, pid ${process.pid}'`);
  const { rows } = await client.query(`select pg_try_advisory_lock(${key}) as held`);
  if (rows[0].held) return client;

  const { rows: holders } = await client.query(
    `select substring(application_name from 'pid (\\d+)') as pid
     from pg_locks join pg_stat_activity using (pid)
     where locktype = 'advisory' and granted and application_name like 'pgtrail up%'`,
  );
  await client.end();
  const pid = holders[0]?.pid ?? "unknown";
  throw new UserError(`pgtrail up runs in ${shown(cluster.directory)} already (pid ${pid})`, {
    hint: `Stop it with \`kill ${pid}\`, or choose another --directory.`,
  });
}

/** Rejects when the server goes away without being asked to by us. */
function lost(holder: pg.Client): Promise<never> {
  return new Promise((_, reject) => {
    holder.once("end", () => reject(new UserError("the server was stopped by somebody else")));
  });
}

async function makeReady(cluster: Cluster, options: UpOptions, screen: Screen): Promise<void> {
  const done = (text: string) => screen.line(`${screen.style.green("✓")} ${text}`);
  const urls = {
    application: roleUrl(cluster, "authenticator"),
    migrator: roleUrl(cluster, "migrator"),
    superuser: cluster.url({ database: DATABASE, user: "postgres", password: "postgres" }),
  };
  done(`${await prepareDatabase(cluster)} on port ${cluster.port}${remark(cluster, options)}`);
  const { applied } = await migrate({ databaseUrl: urls.migrator });
  done(applied.length > 0 ? `${applied.length} migrations applied` : "no new migrations");
  await createAuthenticator(cluster);
  const demo = options.demo ? await runDemo(urls, screen, done) : undefined;

  if (options.json) {
    const ready = { port: cluster.port, directory: cluster.directory, urls, applied, demo };
    process.stdout.write(`${JSON.stringify(ready)}\n`);
  }
  showReady(urls, screen);
}

/** Seals and maintains, as `pgtrail worker` does, and tells only what fails. */
function work(cluster: Cluster, screen: Screen, stop: AbortSignal): Promise<void> {
  return runWorker({
    databaseUrl: roleUrl(cluster, "migrator"),
    sealEvery: SEAL_SECONDS * 1000,
    maintainEvery: MAINTAIN_SECONDS * 1000,
    tell: (run) => {
      if (run.error && !stop.aborted) screen.line(`${run.job} failed: ${run.error.message}`);
    },
    warn: () => {},
    stop,
    hurry: stop,
  });
}

function remark(cluster: Cluster, options: UpOptions): string {
  if (cluster.reused) return ", left running by an earlier process";
  const moved = options.port === undefined && cluster.port !== DEFAULT_PORT;
  return moved ? `, since ${DEFAULT_PORT} is in use` : "";
}

/** Creates the role that migrates and its database, and returns which server this is. */
async function prepareDatabase(cluster: Cluster): Promise<string> {
  return withClient(cluster.url(), async (client) => {
    if (!(await exists(client, "pg_roles where rolname = 'migrator'"))) {
      // What Supabase's postgres is: no superuser, but it may create roles.
      await client.query("create role migrator login createrole createdb password 'migrator'");
    }
    if (!(await exists(client, `pg_database where datname = '${DATABASE}'`))) {
      await client.query(`create database ${DATABASE} owner migrator`);
    }
    const { rows } = await client.query("show server_version");
    return `Postgres ${rows[0].server_version}`;
  });
}

/** The role that PostgREST logs in as, and that becomes the role of each request. */
async function createAuthenticator(cluster: Cluster): Promise<void> {
  await withClient(cluster.url(), async (client) => {
    if (await exists(client, "pg_roles where rolname = 'authenticator'")) return;
    await client.query(
      `create role authenticator login noinherit password 'authenticator'
       in role anon, authenticated, service_role, pgtrail_auditor`,
    );
  });
}

async function exists(client: pg.Client, what: string): Promise<boolean> {
  const { rows } = await client.query(`select exists (select from ${what})`);
  return rows[0].exists;
}

async function runDemo(
  urls: { application: string; migrator: string },
  screen: Screen,
  done: (text: string) => void,
) {
  return withClient(urls.application, async (application) => {
    const sample = await withClient(urls.migrator, (owner) =>
      loadSample(application, owner, screen),
    );
    const { sent, added, seconds } = sample;
    const news = added === sent ? "" : `, ${count(added)} of them new`;
    done(`${count(sent)} events recorded in ${seconds.toFixed(1)} seconds${news}`);
    await withClient(urls.migrator, (owner) => showTour({ application, owner }, sample, screen));
    return { events: sent, added, seconds };
  });
}

function showReady(urls: Record<string, string>, screen: Screen): void {
  const { bold, dim, green } = screen.style;
  screen.line();
  screen.line(green(bold("▌ Ready")));
  screen.line();
  screen.table(
    [12, 84],
    Object.entries(urls).map(([who, url]) => [dim(who), url]),
  );
  screen.line();
  screen.line("Three things to try, with psql or any other client:");
  screen.line();
  for (const command of [
    `export DATABASE_URL=${urls.migrator}`,
    `psql $DATABASE_URL -c \\\n      "select record_audit_event('${PLATFORM_ORGANISATION}', 'coffee.brewed')"`,
    `psql $DATABASE_URL -c "delete from audit_log"`,
    "npx pgtrail doctor",
  ]) {
    screen.line(bold(`${INDENT}${command}`));
  }
  screen.line();
  screen.line("Ctrl-C stops the server; the data stays.");
}

function roleUrl(cluster: Cluster, role: string): string {
  return cluster.url({ user: role, password: role, database: DATABASE });
}

async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = await connect(url);
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** A path as the user would write it here. */
function shown(directory: string): string {
  const path = relative(process.cwd(), directory);
  return path.startsWith("..") ? directory : `${path || "."}/`;
}
