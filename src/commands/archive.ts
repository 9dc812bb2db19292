import { createHash } from "node:crypto";
import { rm, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { Command, InvalidArgumentError } from "commander";
import type pg from "pg";
import { EXIT_CODES, VERIFICATION_FAILED } from "../errors/exit_codes.js";
import { UserError } from "../errors/user_error.js";
import { nodeAlgorithms } from "../signing/node_algorithms.js";
import { moveFile, readIfThere, replaceFile } from "../system/files.js";
import {
  count,
  type Progress,
  type Screen,
  silentScreen,
  terminalScreen,
} from "../system/terminal.js";
import {
  type ArchiveHeader,
  archivePath,
  checkArchive,
  formatArchivedEntry,
  formatArchiveHeader,
  parseArchiveHeader,
  provableRow,
  type Tile,
  tilePath,
} from "../verify/index.js";
import { gunzipLines, gzip } from "./archive_files.js";
import { databaseUrlOption } from "./database_url.js";
import { exportEnd, exportLog } from "./export_tiles.js";
import { relationOf } from "./prove.js";
import { withLog } from "./with_log.js";

interface ArchiveOptions {
  databaseUrl: string;
  to: string;
  trail?: string;
  month?: string;
  json?: true;
}

/** `pgtrail archive`: expired months as files that anybody can verify, before they are dropped. */
export function archiveCommand(): Command {
  return new Command("archive")
    .description("write expired months as files that can be verified offline, before they go")
    .requiredOption("--to <directory>", "an export: where tile/, checkpoint and entries/ go")
    .addOption(databaseUrlOption())
    .option("--trail <name>", "this trail only, such as audit_log")
    .option("--month <YYYY-MM>", "this month (UTC), expired or not", parseMonth)
    .option("--json", "print what was archived as JSON")
    .addHelpText(
      "after",
      "\nExample:\n  pgtrail archive --to /srv/audit-log --database-url postgresql://postgres@db.example.org/app\n" +
        "\nWithout --month it takes every month that retention may drop and that is not archived yet. A" +
        "\nmonth becomes entries/<trail>/<YYYY-MM>.ndjson.gz, is read back and held against the tiles, and" +
        "\nis noted in the database. The files hold what was recorded, in the clear: keep them accordingly." +
        "\nAn interrupted run goes on. Nobody else may write to the directory meanwhile." +
        "\nVerify it offline with: pgtrail verify --export DIRECTORY --key KEY" +
        "\nThe database role has to be a member of pgtrail_owner." +
        EXIT_CODES,
    )
    .action(archive);
}

function parseMonth(text: string): string {
  if (/^\d{4}-(0[1-9]|1[0-2])$/.test(text)) return text;
  throw new InvalidArgumentError("It is written YYYY-MM, such as 2024-05.");
}

/** A month of a trail that is to be archived. */
interface Month {
  trail: string;
  /** YYYY-MM. */
  month: string;
  /** How many entries the log has of it. */
  entries: number;
}

interface Archived extends Month {
  path: string;
  /** Of the file, in hexadecimal. */
  sha256: string;
}

/** What it takes to archive a month. */
interface Job {
  client: pg.Client;
  directory: string;
  size: number;
  progress: Progress;
  /** Entries of the months before. */
  done: number;
}

async function archive({ databaseUrl, to, trail, month, json }: ArchiveOptions): Promise<void> {
  const screen = json ? silentScreen() : terminalScreen();
  const directory = resolve(to);
  const result = await withLog(databaseUrl, async (client) => {
    if (trail !== undefined) await relationOf(client, trail);
    const end = await exportEnd(client);
    if (end.note === null) {
      throw new UserError(
        "no checkpoint of this log is signed yet, so nobody could verify a file",
        {
          hint: "Sign one and try again: pgtrail checkpoint --sign",
        },
      );
    }
    await exportLog(client, directory, end, screen);
    const months = await monthsToArchive(client, trail, month);
    return { size: end.size, ...(await archiveAll(client, directory, end.size, months, screen)) };
  });
  if (result.archived.length + result.skipped.length === 0) screen.line("Nothing to archive");
  if (json) process.stdout.write(`${JSON.stringify(result)}\n`);
}

async function monthsToArchive(client: pg.Client, trail?: string, month?: string) {
  const { rows } = await client.query<{ trail: string; month: string; entries: string }>(
    month === undefined
      ? `select trail_name as trail, to_char(month, 'YYYY-MM') as month, entries
         from pgtrail.archivable_months()
         where trail_name = coalesce($1, trail_name)
         order by trail_name, archivable_months.month`
      : `select trail_name as trail, $2::text as month, entries
         from pgtrail.sealed_entries(to_date($2, 'YYYY-MM'))
         where trail_name = coalesce($1, trail_name)`,
    month === undefined ? [trail] : [trail, month],
  );
  return rows.map((row) => ({ ...row, entries: Number(row.entries) }));
}

async function archiveAll(
  client: pg.Client,
  directory: string,
  size: number,
  months: readonly Month[],
  screen: Screen,
): Promise<{ archived: Archived[]; skipped: Archived[] }> {
  const archived: Archived[] = [];
  const skipped: Archived[] = [];
  const progress = screen.progress(
    months.reduce((sum, { entries }) => sum + entries, 0),
    "entries",
  );
  let done = 0;
  for (const month of months) {
    const job = { client, directory, size, progress, done };
    const before = await alreadyArchived(job, month);
    if (before) skipped.push(before);
    else archived.push(await archiveMonth(job, month));
    done += month.entries;
    progress.update(done);
  }
  progress.finish();
  const { green } = screen.style;
  for (const { path, entries } of skipped) {
    screen.line(`${path} has its ${count(entries)} entries already`);
  }
  for (const { path, entries } of archived) {
    screen.line(`${green("✓")} ${count(entries)} entries are in ${path}`);
  }
  return { archived, skipped };
}

/** The archive of a month, when it is noted as it is and its file is still the one that was noted. */
async function alreadyArchived(
  { client, directory }: Job,
  { trail, month, entries }: Month,
): Promise<Archived | undefined> {
  const { rows } = await client.query<{ sha256: string | null }>(
    "select encode(pgtrail.archive_digest($1::regclass, to_date($2, 'YYYY-MM')), 'hex') as sha256",
    [await relationOf(client, trail), month],
  );
  const path = archivePath(trail, month);
  const sha256 = rows[0]?.sha256;
  if (!sha256 || !(await isThere(join(directory, path)))) return undefined;
  const file = createHash("sha256");
  try {
    for await (const _ of gunzipLines(join(directory, path), (bytes) => file.update(bytes)));
  } catch {
    return undefined;
  }
  return file.digest("hex") === sha256 ? { trail, month, entries, path, sha256 } : undefined;
}

async function archiveMonth(job: Job, wanted: Month): Promise<Archived> {
  const { client, directory, size } = job;
  const path = archivePath(wanted.trail, wanted.month);
  const file = join(directory, path);
  const { rows } = await client.query("select clock_timestamp()::text as began");

  // It gets its name once it is known to be good. What an interrupted run left is written over.
  const unfinished = join(dirname(file), `.${wanted.month}.ndjson.gz`);
  const header = await makeHeader(client, wanted, size);
  await replaceFile(unfinished, gzip(linesOf(job, header)), { durable: true });
  const { sha256, leaves } = await readBack(job, unfinished, path);
  await putAside(file, leaves);
  await moveFile(unfinished, file);
  await record(client, wanted, size, sha256, file, rows[0].began);
  return { ...wanted, path, sha256: sha256.toString("hex") };
}

async function makeHeader(
  client: pg.Client,
  { trail, month, entries }: Month,
  size: number,
): Promise<ArchiveHeader> {
  const { rows } = await client.query(
    `select origin, time_column as time, columns
     from pgtrail.archive_header($1::regclass, to_date($2, 'YYYY-MM'))`,
    [await relationOf(client, trail), month],
  );
  const { origin, time, columns } = rows[0];
  return { trail, month, entries, tree_size: size, origin, time, columns };
}

/** Entries of one query, about as many as a batch of the log has, and of one fetch of it. */
const AT_ONCE = 50_000;
const AT_A_TIME = 1_000;

/** The lines of an archive, from the database. */
async function* linesOf(
  { client, progress, done }: Job,
  header: ArchiveHeader,
): AsyncGenerator<string> {
  yield formatArchiveHeader(header);
  const relation = await relationOf(client, header.trail);
  let [leaf, number, found] = [-1, 0, 0];
  do {
    found = 0;
    for await (const row of fetchEntries(client, relation, header.month, leaf)) {
      leaf = Number(row.leaf);
      number++;
      found++;
      const entry = row.entry.toString("utf8");
      const shown = await provableRow({ row: row.row, entry }, nodeAlgorithms);
      yield formatArchivedEntry({ leaf, number, entry, row: shown });
      if (number % AT_A_TIME === 0) progress.update(done + Math.min(number, header.entries));
    }
  } while (found === AT_ONCE);
  if (number !== header.entries) throw wrongNumber(header, number);
}

function wrongNumber({ trail, month, entries }: Month, found: number): UserError {
  return new UserError(
    `the log has ${count(entries)} entries of ${trail} in ${month}, the trail ${count(found)} of them as they were sealed`,
    {
      hint: "If retention was running meanwhile, run this again. Otherwise look with: pgtrail verify --database-url …",
      exitCode: VERIFICATION_FAILED,
    },
  );
}

interface EntryRow {
  leaf: string;
  entry: Buffer;
  /** As text: numbers would lose digits in JSON.parse(). */
  row: string;
}

async function* fetchEntries(
  client: pg.Client,
  relation: string,
  month: string,
  afterLeaf: number,
): AsyncGenerator<EntryRow> {
  await client.query("begin read only");
  try {
    await client.query(
      `declare page no scroll cursor for
       select leaf_index as leaf, entry, entry_row::text as row
       from pgtrail.archive_entries(${client.escapeLiteral(relation)}::regclass, '${month}-01', ${afterLeaf}, ${AT_ONCE})`,
    );
    for (;;) {
      const { rows } = await client.query<EntryRow>(`fetch ${AT_A_TIME} from page`);
      yield* rows;
      if (rows.length < AT_A_TIME) return;
    }
  } finally {
    await client.query("rollback");
  }
}

/** Verifies a file against the tiles as `verify --export` will, under the path that it will have. */
async function readBack(
  { directory, size }: Job,
  file: string,
  path: string,
): Promise<{ sha256: Buffer; leaves: Set<number> }> {
  const hash = createHash("sha256");
  const leaves = new Set<number>();
  const tree = {
    size,
    read: (tile: Tile) => readIfThere(join(directory, tilePath(tile))),
  };
  const lines = gunzipLines(file, (bytes) => hash.update(bytes));
  const onEntry = (_number: number, leaf: number) => leaves.add(leaf);
  for await (const defect of checkArchive({ path, lines, tree }, nodeAlgorithms, onEntry)) {
    throw new UserError(
      `what was archived does not verify: ${defect.path}: ${defect.defect}: ${defect.detail}`,
      {
        hint: "Nothing was noted. When entries are newer than the checkpoint, sign one: pgtrail checkpoint --sign",
        exitCode: VERIFICATION_FAILED,
      },
    );
  }
  return { sha256: hash.digest(), leaves };
}

/**
 * Keeps an older file of the month that has entries which the database has no longer: of a month
 * that was dropped and then filled again. It gets the size of its tree into its name.
 */
async function putAside(file: string, leaves: ReadonlySet<number>): Promise<void> {
  if (!(await isThere(file))) return;
  let header: ArchiveHeader | undefined;
  try {
    let superseded = true;
    for await (const line of gunzipLines(file)) {
      if (header) superseded &&= leaves.has(JSON.parse(line).leaf);
      header ??= parseArchiveHeader(line);
      if (!header) throw new Error("it has no header");
    }
    if (superseded) return;
  } catch (error) {
    throw new UserError(`${file} is there already and cannot be read: ${String(error)}`, {
      hint: "It may hold entries that are nowhere else. Move it away, and run this again.",
      exitCode: VERIFICATION_FAILED,
      cause: error,
    });
  }
  const aside = file.replace(/ndjson\.gz$/, `${header?.tree_size}.$&`);
  if (await isThere(aside)) throw new UserError(`both ${file} and ${aside} are there already`);
  await moveFile(file, aside);
}

async function isThere(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}

/** Notes an archive, unless something of the month was erased since it was read. */
async function record(
  client: pg.Client,
  { trail, month, entries }: Month,
  size: number,
  sha256: Buffer,
  file: string,
  began: string,
): Promise<void> {
  const relation = await relationOf(client, trail);
  await client.query("begin");
  try {
    await client.query(
      "select pgtrail.record_archive($1::regclass, to_date($2, 'YYYY-MM'), $3, $4, $5, $6)",
      [relation, month, entries, size, sha256, file],
    );
    // Erasing waits for the lock that the call above holds.
    const { rows } = await client.query<{ erased: boolean }>(
      "select pgtrail.has_erasures_since($1::regclass, to_date($2, 'YYYY-MM'), $3) as erased",
      [relation, month, began],
    );
    if (rows[0]?.erased) {
      await rm(file);
      throw new UserError(`something of ${trail} in ${month} was erased while it was archived`, {
        hint: "The file was removed. Run this again.",
      });
    }
    await client.query("commit");
  } catch (error) {
    await client.query("rollback").catch(() => {});
    throw error;
  }
}
