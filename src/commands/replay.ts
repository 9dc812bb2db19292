import { createReadStream } from "node:fs";
import { access, constants, stat } from "node:fs/promises";
import { Command } from "commander";
import { badgeEvaluations } from "../domain/badge_evaluations.js";
import { UserError } from "../errors/user_error.js";
import { auditLog } from "../replay/audit_log.js";
import { replay, type Source } from "../replay/replay.js";
import { openSession } from "../replay/session.js";
import { leftBehind, type Tally } from "../replay/tally.js";
import { count, type Screen, silentScreen, terminalScreen } from "../system/terminal.js";
import { databaseUrlOption } from "./database_url.js";
import { withLog } from "./with_log.js";

interface ReplayFlags {
  databaseUrl: string;
  dryRun?: true;
  json?: true;
}

/** The trails whose failures a log may tell of. */
const TRAILS = [auditLog, badgeEvaluations];

/** What means standard input among the files. */
const STDIN = "-";

/** `pgtrail replay`: from the structured log into the database, what the writer could not insert. */
export function replayCommand(): Command {
  return new Command("replay")
    .description("insert what did not reach the database, from logs of the writer")
    .argument("<files...>", "logs, compressed or not; - is standard input")
    .addOption(databaseUrlOption())
    .option("--dry-run", "tell what would be done, and do nothing")
    .option("--json", "print the summary as JSON")
    .addHelpText(
      "after",
      "\nExample:\n  pgtrail replay app.log --dry-run --database-url postgresql://postgres@db.example.org/app\n" +
        '\nIt finds the lines of type "audit_write_failed" among others, plain or as CloudWatch, S3 exports,' +
        "\nDocker, Kubernetes and journalctl -o json --all keep them, and entries of a spool file." +
        "\nWhat the database has already stays as it is, so that it can run again at any time. Events that are" +
        "\nolder than the partitions get theirs, up to 20 years back." +
        "\nIt believes what it reads: whoever can write to a log can write entries that way." +
        "\nThe login is a member of service_role, or of pgtrail_owner as the migrating role is." +
        "\nExit codes: 0 everything it found is in the database (with --dry-run: would be), 1 something is" +
        "\nnot, or is wrong, 2 usage.",
    )
    .action(run);
}

async function run(files: string[], { databaseUrl, dryRun, json }: ReplayFlags): Promise<void> {
  const screen = json ? silentScreen() : terminalScreen();
  const total = await sizeOf(files);
  const tally = await withLog(databaseUrl, async (client) => {
    const session = await openSession(client, dryRun === true);
    const progress = total > 0 ? screen.progress(total, "bytes") : undefined;
    let read = 0;
    const onBytes = (bytes: number) => {
      read += bytes;
      progress?.update(read);
    };
    try {
      return await replay(session, TRAILS, sourcesOf(files, onBytes));
    } finally {
      progress?.finish();
    }
  });
  show(tally, dryRun === true, screen);
  if (json) process.stdout.write(`${JSON.stringify({ dryRun: dryRun === true, ...tally })}\n`);
  if (leftBehind(tally) > 0) process.exitCode = 1;
}

/** Bytes of all files; 0 when one of them has no size. Raises UserError when one cannot be read. */
async function sizeOf(files: readonly string[]): Promise<number> {
  let total = 0;
  let sized = true;
  for (const file of files) {
    if (file === STDIN) {
      sized = false;
      continue;
    }
    try {
      await access(file, constants.R_OK);
      const found = await stat(file);
      if (found.isDirectory()) throw new Error("it is a directory");
      sized &&= found.isFile();
      total += found.size;
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      const text =
        code === "ENOENT" ? `there is no file ${file}` : `cannot read ${file}: ${message}`;
      throw new UserError(text, { cause: error });
    }
  }
  return sized ? total : 0;
}

function* sourcesOf(files: readonly string[], onBytes: (bytes: number) => void): Generator<Source> {
  for (const file of files) {
    const stream = file === STDIN ? process.stdin : createReadStream(file);
    yield { name: file === STDIN ? "standard input" : file, bytes: counted(stream, onBytes) };
  }
}

async function* counted(stream: AsyncIterable<unknown>, onBytes: (bytes: number) => void) {
  for await (const bytes of stream as AsyncIterable<Uint8Array>) {
    onBytes(bytes.length);
    yield bytes;
  }
}

function show(tally: Tally, dryRun: boolean, screen: Screen): void {
  const { green, red } = screen.style;
  for (const { file, line, id, kind, reason } of tally.problems) {
    screen.line(`${red("✗")} ${file}:${line}: ${kind}${id ? ` ${id}` : ""}: ${reason}`);
  }
  const left = leftBehind(tally);
  const more = left - tally.problems.length;
  if (more > 0) screen.line(`  and ${count(more)} more`);
  screen.line(`${count(tally.lines)} lines, ${count(tally.failures)} failures`);
  screen.line(
    [
      `${count(tally.inserted)} ${dryRun ? "would be inserted" : "inserted"}`,
      `${count(tally.alreadyThere)} already there`,
      `${count(tally.redacted)} redacted`,
      `${count(tally.refused)} refused`,
      `${count(tally.conflicts)} conflicts`,
    ].join(", "),
  );
  if (left === 0) screen.line(`${green("✓")} Nothing ${dryRun ? "would be" : "is"} left behind`);
}
