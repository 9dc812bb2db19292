import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import Table from "cli-table3";
import type { StatementRuns } from "../tests/harness/coverage.js";

/** Least share of statements that must run, in per cent. */
const required = 80;

/** What of one function ran in any database. */
interface FunctionCoverage {
  name: string;
  statements: number;
  covered: number;
  /** Lines of the body whose statement never ran. */
  missed: number[];
}

/**
 * Prints which statements of the SQL functions ran, a line for each function, and the total.
 *
 * @param directory files that the test harness wrote, one for each database
 * @returns whether enough of them ran
 */
export async function reportSqlCoverage(directory: string): Promise<boolean> {
  const functions = merge(await readRuns(directory));
  const table = new Table({
    head: ["function", "statements", "run", "%", "lines not run"],
    colAligns: ["left", "right", "right", "right", "left"],
    style: { head: [], border: [], compact: true },
  });
  for (const { name, statements, covered, missed } of functions) {
    table.push([
      name.replace(/\(.*/, ""),
      statements,
      covered,
      percent(covered, statements),
      missed.join(" "),
    ]);
  }
  const statements = sum(functions.map((each) => each.statements));
  const covered = sum(functions.map((each) => each.covered));
  const total = percent(covered, statements);
  table.push(["total", statements, covered, total, ""]);
  console.log(table.toString());

  const enough = statements > 0 && covered / statements >= required / 100;
  if (!enough) console.error(`${total}% of the SQL statements ran, ${required}% are required`);
  return enough;
}

async function readRuns(directory: string): Promise<StatementRuns[][]> {
  const files = (await readdir(directory)).filter((file) => file.endsWith(".json"));
  return Promise.all(
    files.map(async (file) => JSON.parse(await readFile(join(directory, file), "utf8"))),
  );
}

/** Adds up the databases. A function that only some of them have is a test's own. */
function merge(databases: StatementRuns[][]): FunctionCoverage[] {
  const found = new Map<
    string,
    { databases: number; lines: Map<number, number>; run: Set<number> }
  >();
  for (const runs of databases) {
    for (const name of new Set(runs.map((each) => each.function))) {
      const entry = found.get(name) ?? { databases: 0, lines: new Map(), run: new Set() };
      entry.databases += 1;
      found.set(name, entry);
    }
    for (const { function: name, statement, line, runs: times } of runs) {
      found.get(name)?.lines.set(statement, line);
      if (times > 0) found.get(name)?.run.add(statement);
    }
  }
  return [...found]
    .filter(([, entry]) => entry.databases === databases.length)
    .map(([name, { lines, run }]) => ({
      name,
      statements: lines.size,
      covered: run.size,
      missed: [...lines].filter(([statement]) => !run.has(statement)).map(([, line]) => line),
    }))
    .sort((a, b) => a.name.localeCompare(b.name));
}

function percent(part: number, whole: number): string {
  return whole === 0 ? "0.0" : (Math.floor((part / whole) * 1000) / 10).toFixed(1);
}

function sum(numbers: number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}

if (process.argv[1] === import.meta.filename) {
  const [directory] = parseArgs({ allowPositionals: true }).positionals;
  if (directory === undefined) {
    console.error("usage: tsx scripts/coverage_sql.ts <directory>");
    process.exitCode = 2;
  } else if (!(await reportSqlCoverage(directory))) {
    process.exitCode = 1;
  }
}
