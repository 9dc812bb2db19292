import { stat } from "node:fs/promises";
import { join } from "node:path";
import { Command, InvalidArgumentError } from "commander";
import type pg from "pg";
import { EXIT_CODES, VERIFICATION_FAILED } from "../errors/exit_codes.js";
import { nodeAlgorithms } from "../signing/node_algorithms.js";
import { readGiven, readIfThere } from "../system/files.js";
import { count, type Screen, silentScreen, terminalScreen } from "../system/terminal.js";
import {
  checkArchive,
  checkTiles,
  type ProvedEntry,
  parseBundle,
  type RenderedColumn,
  type SignedCheckpoint,
  type Signers,
  type TileTree,
  tilePath,
  verifyBundle,
  verifySignedCheckpoint,
} from "../verify/index.js";
import { gunzipLines, listArchives } from "./archive_files.js";
import { databaseUrlOption } from "./database_url.js";
import { collect, signersOf, verifying } from "./keys.js";
import { logSize, withLog } from "./with_log.js";

/** `pgtrail verify`: verifies a proof bundle or an export offline, or the log of a database. */
export function verifyCommand(): Command {
  const command: Command = new Command("verify")
    .description("verify a proof bundle, an export, or the log of a database")
    .argument("[bundle]", "a proof bundle, as pgtrail prove writes it; verified offline")
    .option(
      "--export <directory>",
      "an export, as pgtrail export-tiles or archive writes it; verified offline",
    )
    .option("--key <vkey>", "the public key of the log, for a bundle and an export")
    .option("--witness <vkey>", "a witness that must have signed too; can be repeated", collect, [])
    .addOption(databaseUrlOption().makeOptionMandatory(false))
    .option("--from-leaf <number>", "begin at this leaf of the database's log", parseLeaf, 0)
    .option("--json", "print the result as JSON")
    .addHelpText(
      "after",
      "\nExamples:\n" +
        "  pgtrail verify proof.json --key example.org/audit+1a2b3c4d+AbCd…\n" +
        "  pgtrail verify --export /srv/audit-log --key example.org/audit+1a2b3c4d+AbCd…\n" +
        "  pgtrail verify --database-url postgresql://postgres@db.example.org/app\n" +
        "\nA bundle: the entry is in the log that the key signed. An export: its tiles are those of its" +
        "\nsigned checkpoint, and every archived entry below entries/ is the leaf that it says. A database: each entry is still the one that was sealed; defects are named" +
        "\none by one, and whoever rewrites entries and log together is found only by a checkpoint that" +
        "\nwas published before. The database role has to be a member of pgtrail_auditor." +
        EXIT_CODES,
    )
    .action(async (bundle: string | undefined, options: VerifyOptions) => {
      const { key, witness, export: directory, databaseUrl } = options;
      const screen = options.json ? silentScreen() : terminalScreen();
      if (bundle !== undefined && directory !== undefined) {
        command.error("error: a bundle and --export are verified one by one");
      }
      if (bundle === undefined && directory === undefined) {
        if (!databaseUrl) command.error("error: name a bundle, --export or --database-url");
        return verifyDatabase(databaseUrl, options, screen);
      }
      if (!key) command.error("error: --key is required: the public key of the log");
      const signers = await signersOf(key, witness);
      if (bundle !== undefined) await verifyBundleFile(bundle, signers, options, screen);
      else if (directory !== undefined) await verifyExport(directory, signers, options, screen);
    });
  return command;
}

interface VerifyOptions {
  export?: string;
  key?: string;
  witness: string[];
  databaseUrl?: string;
  fromLeaf: number;
  json?: true;
}

function parseLeaf(value: string): number {
  const leaf = Number(value);
  if (/^\d+$/.test(value) && Number.isSafeInteger(leaf)) return leaf;
  throw new InvalidArgumentError("It is the number of a leaf, from 0.");
}

async function verifyBundleFile(
  path: string,
  signers: Signers,
  { json }: VerifyOptions,
  screen: Screen,
): Promise<void> {
  const text = (await readGiven(path)).toString();
  const proved = await verifying(path, () =>
    verifyBundle(parseBundle(text), signers, nodeAlgorithms),
  );
  if (json) process.stdout.write(`${JSON.stringify(resultOf(proved))}\n`);
  showProved(proved, screen);
}

function resultOf({ kind, index, checkpoint, rendering }: ProvedEntry) {
  return { verified: true, kind, index, ...summaryOf(checkpoint), rendering };
}

function summaryOf({ origin, size, root, cosignatures }: SignedCheckpoint) {
  const witnesses = cosignatures.map(({ witness, time }) => ({ name: witness.name, time }));
  return { origin, size, root: Buffer.from(root).toString("base64"), witnesses };
}

function showProved({ kind, index, checkpoint, rendering }: ProvedEntry, screen: Screen): void {
  const { green, dim } = screen.style;
  const tree = `the ${count(checkpoint.size)} entries of ${checkpoint.origin}`;
  screen.line(`${green("✓")} proved: this ${kind} is number ${count(index)} of ${tree}`);
  showSigners(checkpoint, screen);
  screen.line();
  screen.table(
    [22, 76],
    rendering.map((column) => [dim(printable(column.column)), shownValue(column)]),
  );
  screen.line();
  screen.line("Every value is the one that was sealed. The names of the columns are the bundle's.");
}

function showSigners({ origin, cosignatures }: SignedCheckpoint, screen: Screen): void {
  screen.line(`  signed with the key of ${origin}`);
  for (const { witness, time } of cosignatures) {
    screen.line(`  witnessed by ${witness.name} at ${time.toISOString()}`);
  }
}

function shownValue({ value, commitment }: RenderedColumn): string {
  if (value === undefined) return `(not disclosed: ${printable(commitment ?? "")})`;
  return value === null ? "(null)" : printable(value);
}

/** An entry may hold anything, also what moves the cursor of a terminal. */
function printable(text: string): string {
  return text.replace(/\p{Cc}|\p{Cf}/gu, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}

async function verifyExport(
  directory: string,
  signers: Signers,
  { json }: VerifyOptions,
  screen: Screen,
): Promise<void> {
  const path = join(directory, "checkpoint");
  const note = (await readGiven(path)).toString();
  const checkpoint = await verifying(path, () =>
    verifySignedCheckpoint(note, signers, nodeAlgorithms),
  );
  const tree: TileTree = {
    ...checkpoint,
    read: (tile) => readIfThere(join(directory, tilePath(tile))),
  };
  const progress = screen.progress(checkpoint.size, "entries");
  const defects = new DefectList();
  for await (const defect of checkTiles(tree, nodeAlgorithms, progress.update)) defects.add(defect);
  progress.finish();
  const archives = await verifyArchives(directory, tree, defects, screen);

  if (json) {
    const result = { ...summaryOf(checkpoint), archives, ...defects.result };
    process.stdout.write(`${JSON.stringify(result)}\n`);
  }
  if (defects.total === 0) {
    const tiles = `the tiles of ${count(checkpoint.size)} entries`;
    screen.line(`${screen.style.green("✓")} ${tiles} lead to the root that was signed`);
    showSigners(checkpoint, screen);
    if (archives.length > 0) {
      const entries = count(archives.reduce((sum, archive) => sum + archive.entries, 0));
      const files = archives.length === 1 ? "1 archive" : `${count(archives.length)} archives`;
      screen.line(`${screen.style.green("✓")} the ${entries} entries of ${files} are leaves of it`);
    }
  }
  const width = Math.max(30, ...archives.map(({ path }) => path.length + 8));
  defects.report(screen, ["defect", "path", "detail"], [22, width, 60]);
}

/** Verifies what an export has below entries/, and returns how many entries each file has. */
async function verifyArchives(
  directory: string,
  tree: TileTree,
  defects: DefectList,
  screen: Screen,
): Promise<{ path: string; entries: number }[]> {
  const paths = await listArchives(directory);
  if (paths.length === 0) return [];
  const files = await Promise.all(paths.map((path) => stat(join(directory, path))));
  const total = files.reduce((sum, { size }) => sum + size, 0);
  const progress = screen.progress(total, "archived bytes");
  const archives: { path: string; entries: number }[] = [];
  let done = 0;
  for (const path of paths) {
    const archive = { path, entries: 0 };
    archives.push(archive);
    const lines = gunzipLines(join(directory, path), (bytes) => {
      done += bytes.length;
    });
    try {
      const onEntry = () => {
        archive.entries++;
        progress.update(Math.min(done, total));
      };
      for await (const defect of checkArchive({ path, lines, tree }, nodeAlgorithms, onEntry)) {
        defects.add(defect);
      }
    } catch (error) {
      const { message } = error as Error;
      defects.add({ defect: "archive not readable", path, detail: message });
    }
  }
  progress.finish();
  return archives;
}

async function verifyDatabase(
  databaseUrl: string,
  { fromLeaf, json }: VerifyOptions,
  screen: Screen,
): Promise<void> {
  const defects = new DefectList();
  const interruption = new AbortController();
  const interrupt = () => interruption.abort();
  process.once("SIGINT", interrupt);
  const end = await withLog(databaseUrl, (client) =>
    verifyLog(client, fromLeaf, screen, defects, interruption.signal),
  ).finally(() => process.off("SIGINT", interrupt));

  const { size, reached, checkpoints } = end;
  if (json) {
    const result = { from: fromLeaf, to: reached, size, checkpoints, ...defects.result };
    process.stdout.write(`${JSON.stringify(result)}\n`);
  }
  if (interruption.signal.aborted && reached < size) {
    screen.line(`Stopped at leaf ${reached}; go on with --from-leaf ${reached}`);
    process.exitCode = 1;
  } else if (defects.total === 0) {
    const entries = `${count(size - Math.min(fromLeaf, size))} entries`;
    screen.line(`${screen.style.green("✓")} ${entries} are as they were sealed`);
    screen.line(`  ${count(checkpoints)} published checkpoints fit the log`);
  }
  defects.report(screen, ["defect", "trail_name", "entry_id", "detail"], [16, 22, 38, 54]);
}

async function verifyLog(
  client: pg.Client,
  fromLeaf: number,
  screen: Screen,
  defects: DefectList,
  interruption: AbortSignal,
): Promise<{ size: number; reached: number; checkpoints: number }> {
  const size = await logSize(client);
  const { rows: published } = await client.query(
    "select count(*) as checkpoints from pgtrail.published_checkpoints()",
  );
  defects.add(...(await client.query("select * from pgtrail.verify_head()")).rows);

  const progress = screen.progress(size, "entries");
  let reached = fromLeaf;
  while (reached < size && !interruption.aborted) {
    const { rows: batches } = await client.query(
      "select first_leaf, next_leaf from pgtrail.batch_at($1)",
      [reached],
    );
    // The log ends without a batch where one is missing; the head's defects have named that.
    if (!batches[0]) break;
    const { rows } = await client.query("select * from pgtrail.verify_batch($1)", [
      batches[0].first_leaf,
    ]);
    defects.add(...rows);
    reached = Number(batches[0].next_leaf);
    progress.update(Math.min(reached, size));
  }
  progress.finish();
  return { size, reached, checkpoints: Number(published[0].checkpoints) };
}

/** Defects that were found: the first of them, and how many there are. */
class DefectList {
  static readonly #listed = 1000;
  readonly #first: Record<string, string | null>[] = [];
  total = 0;

  add(...defects: readonly object[]): void {
    this.total += defects.length;
    const room = DefectList.#listed - this.#first.length;
    this.#first.push(...(defects.slice(0, room) as Record<string, string | null>[]));
  }

  get result() {
    return { verified: this.total === 0, defects: this.#first, total: this.total };
  }

  /** Shows them as a table of these columns, and makes the command fail when there are any. */
  report(screen: Screen, columns: readonly string[], widths: readonly number[]): void {
    if (this.total === 0) return;
    process.exitCode = VERIFICATION_FAILED;
    const { bold, red } = screen.style;
    screen.line(red(bold(this.total === 1 ? "1 defect" : `${count(this.total)} defects`)));
    screen.line();
    screen.table(
      widths,
      this.#first.map((defect) => columns.map((column) => printable(defect[column] ?? ""))),
    );
    const more = this.total - this.#first.length;
    if (more > 0) screen.line(`and ${count(more)} more`);
  }
}
