/**
 * Runs the integration tests on Debian's PostgreSQL 15 with pg_cron and plpgsql_check, the pgTAP
 * files under pg_prove, and reports which statements of the SQL functions ran.
 *
 * Usage: tsx scripts/test_debian.ts [--results <directory>]
 * --results also writes the counts as JSON: debian.json (vitest) and pg_prove.json.
 */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { startCluster } from "../src/cluster/cluster.js";
import { collectCoverage, profilerSettings } from "../tests/harness/coverage.js";
import { createTestDatabase, withClient } from "../tests/harness/template.js";
import { reportSqlCoverage } from "./coverage_sql.js";
import { BIN_DIRECTORY as binDirectory } from "./lib/dump.js";

const database = "pgtrail_test";
const root = fileURLToPath(new URL("..", import.meta.url));

/** Runs a program in the repository; resolves with its exit code and what it printed. */
function run(program: string, args: string[], environment: NodeJS.ProcessEnv = {}) {
  return new Promise<{ code: number | null; output: string }>((settle, reject) => {
    const child = spawn(program, args, {
      cwd: root,
      env: { ...process.env, ...environment },
      stdio: ["ignore", "pipe", "inherit"],
    });
    let output = "";
    child.stdout.on("data", (chunk: Buffer) => {
      output += chunk;
      process.stdout.write(chunk);
    });
    child.on("error", reject);
    child.on("close", (code) => settle({ code, output }));
  });
}

/** Tests of programs that do the same on any server, and run no SQL of ours but an insert. */
const alikeEverywhere = [
  "edge_deno",
  "fault_proxy",
  "spool",
  "verify_everywhere",
  "writer_long_outage",
  "writer_outage",
  "writer_spool",
];

async function runVitest(url: string, coverage: string, results?: string): Promise<boolean> {
  const json = results && ["--reporter=json", `--outputFile.json=${join(results, "debian.json")}`];
  const { code } = await run(
    join(root, "node_modules", ".bin", "vitest"),
    [
      "run",
      "--project=integration",
      ...alikeEverywhere.flatMap((file) => ["--exclude", `tests/integration/${file}.test.ts`]),
      "--reporter=default",
      ...(json || []),
    ],
    {
      DATABASE_URL: url,
      PGTRAIL_SQL_COVERAGE: coverage,
      // Files with a cluster of their own use the same programs.
      PGTRAIL_TEST_POSTGRES: "debian",
    },
  );
  return code === 0;
}

async function runPgProve(url: string, results?: string): Promise<boolean> {
  const { code, output } = await run("pg_prove", [
    "--dbname",
    url,
    "--recurse",
    "--ext",
    ".sql",
    "tests/pgtap",
  ]);
  if (results) {
    const run = Number(/^Files=\d+, Tests=(\d+),/m.exec(output)?.[1] ?? 0);
    const reported = [...output.matchAll(/\(Wstat: .* Failed: (\d+)\)$/gm)].map(([, n]) =>
      Number(n),
    );
    // An aborted file is a failure too, though none of its assertions failed.
    const failed = Math.max(
      reported.reduce((total, each) => total + each, 0),
      code === 0 ? 0 : 1,
    );
    const counts = { numPassedTests: run - failed, numFailedTests: failed };
    await writeFile(join(results, "pg_prove.json"), JSON.stringify(counts));
  }
  return code === 0;
}

async function main(results?: string): Promise<boolean> {
  if (!existsSync(join(binDirectory, "postgres"))) {
    console.error("PostgreSQL 15 is not installed: run scripts/provision_debian.sh as root");
    return false;
  }
  const directory = await mkdtemp(join(tmpdir(), "pgtrail-debian-"));
  const coverage = await mkdtemp(join(tmpdir(), "pgtrail-coverage-"));
  const cluster = await startCluster({
    directory,
    binDirectory,
    authentication: "trust",
    settings: {
      fsync: "off",
      full_page_writes: "off",
      max_connections: "200",
      ...profilerSettings({ PGTRAIL_SQL_COVERAGE: coverage }),
      shared_preload_libraries: "plpgsql,plpgsql_check,pg_cron",
      "cron.database_name": database,
    },
  });
  try {
    const url = cluster.url({ database });
    await createTestDatabase(cluster.url(), database);
    // Jobs would seal in the middle of a test.
    await withClient(url, (client) => client.query("select cron.unschedule(jobid) from cron.job"));
    await withClient(cluster.url(), (client) =>
      client.query(`alter database ${database} set pgtrail.test_database = 'on'`),
    );
    const vitest = await runVitest(url, coverage, results);
    const pgProve = await runPgProve(url, results);
    await collectCoverage(url, coverage);
    const covered = await reportSqlCoverage(coverage);
    return vitest && pgProve && covered;
  } finally {
    await cluster.stop("immediate");
    for (const each of [directory, coverage]) await rm(each, { recursive: true, force: true });
  }
}

const { results } = parseArgs({ options: { results: { type: "string" } } }).values;
if (!(await main(results && resolve(results)))) process.exitCode = 1;
