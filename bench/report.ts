import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { cpus, totalmem } from "node:os";
import { join } from "node:path";
import CliTable from "cli-table3";
import { SETTINGS } from "./server.js";

const DIRECTORY = join(import.meta.dirname, "results");

/** One table of a result; cells are text as shown. */
export interface Table {
  title: string;
  columns: string[];
  rows: string[][];
}

/** What a benchmark found. */
export interface Report {
  /** The question that it answers. */
  title: string;
  /** What was measured, on which data: needed to read the tables. */
  setup: string;
  tables: Table[];
  /** Every measured value of every round. */
  raw: unknown;
}

/** A report with where and when it was made, as it is kept in results/<name>.json. */
interface Result extends Report {
  name: string;
  measuredAt: string;
  short: boolean;
  machine: string;
  versions: string;
  settings: Record<string, string>;
}

/** A measured value beside what it should be. Missing it is worth a look, never an error. */
export function verdict(met: boolean, target: string): string {
  return `${target}: ${met ? "met" : "missed"}`;
}

/** Shows a report on the terminal. */
export function show(report: Report): void {
  console.log(`\n${report.title}\n${report.setup}`);
  for (const { title, columns, rows } of report.tables) {
    const table = new CliTable({ head: columns, style: { head: [], border: [] } });
    table.push(...rows);
    console.log(`\n${title}\n${table}`);
  }
}

/** Keeps a report as results/<name>.json and writes results/README.md anew from all that are kept. */
export async function keep(
  name: string,
  report: Report,
  run: { postgres: string; short: boolean },
): Promise<void> {
  const [cpu] = cpus();
  const result: Result = {
    name,
    measuredAt: new Date().toISOString(),
    short: run.short,
    machine: `${cpus().length} x ${cpu?.model}, ${Math.round(totalmem() / 2 ** 30)} GiB, ${process.platform} ${process.arch}`,
    versions: `${run.postgres.split(",", 1)[0]}, Node ${process.versions.node}`,
    settings: SETTINGS,
    ...report,
  };
  await mkdir(DIRECTORY, { recursive: true });
  await writeFile(join(DIRECTORY, `${name}.json`), `${JSON.stringify(result, rounded)}\n`);
  await writeFile(join(DIRECTORY, "README.md"), markdown(await keptResults()));
}

/** No clock here is good for more than three decimals. */
function rounded(_key: string, value: unknown): unknown {
  return typeof value === "number" ? Math.round(value * 1000) / 1000 : value;
}

async function keptResults(): Promise<Result[]> {
  const names = (await readdir(DIRECTORY)).filter((name) => name.endsWith(".json")).sort();
  return Promise.all(
    names.map(async (name) => JSON.parse(await readFile(join(DIRECTORY, name), "utf8"))),
  );
}

function markdown(results: Result[]): string {
  const sections = results.map((result) => {
    const tables = result.tables.map(
      ({ title, columns, rows }) =>
        `### ${title}\n\n${[columns, columns.map(() => "---"), ...rows].map(line).join("\n")}\n`,
    );
    const length = result.short ? "short run, only good for a glance" : "full run";
    const place = `${result.measuredAt.slice(0, 10)}, ${length}, ${result.versions}, ${result.machine}`;
    return `## ${result.name}: ${result.title}\n\n${result.setup}\n\n${place}\n\n${tables.join("\n")}`;
  });
  return `# Results\n\nWritten by \`npm run bench\`. [How to read them](../README.md).\n\n${sections.join("\n")}`;
}

function line(cells: string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
}
