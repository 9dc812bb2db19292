import { Command, InvalidArgumentError, Option } from "commander";
import { listenForSignals } from "../system/signals.js";
import { runOnce, runWorker, type WorkerOptions } from "../worker/worker.js";
import { databaseUrlOption } from "./database_url.js";

/** Seconds between two runs of pgtrail.seal(). */
export const SEAL_SECONDS = 60;
/** Seconds between two runs of pgtrail.maintain(). */
export const MAINTAIN_SECONDS = 24 * 60 * 60;
const WEEK = 7 * MAINTAIN_SECONDS;

interface WorkerFlags {
  databaseUrl: string;
  once?: true;
  sealEvery: number;
  maintainEvery: number;
  webhook?: string;
}

/** `pgtrail worker`: runs the periodic work where there is no pg_cron, and passes alerts on. */
export function workerCommand(): Command {
  return new Command("worker")
    .description(
      "seal each minute, maintain each day, and pass alerts on: where there is no pg_cron",
    )
    .addOption(databaseUrlOption())
    .option("--once", "seal until nothing is left, maintain once, tell all open alerts, and end")
    .addOption(
      seconds("--seal-every <seconds>", "between two runs of pgtrail.seal()", SEAL_SECONDS),
    )
    .addOption(
      seconds(
        "--maintain-every <seconds>",
        "between two runs of pgtrail.maintain()",
        MAINTAIN_SECONDS,
      ),
    )
    .addOption(
      new Option("--webhook <url>", "where each alert is posted to, as JSON")
        .env("PGTRAIL_ALERT_WEBHOOK")
        .argParser(parseWebhook),
    )
    .addHelpText(
      "after",
      "\nExample:\n  pgtrail worker --database-url postgresql://postgres:secret@db.example.org/app\n" +
        "\nBoth jobs run at the start, too. Each run is a line of JSON on standard output, each alert and each" +
        "\ntrouble with connections one on standard error. While the database is away it is tried again, after" +
        "\n1 second at first and 60 at last. Several workers, or a worker and pg_cron, do no harm." +
        "\nThe database role has to be a member of pgtrail_owner. Connect directly, not through a pooler in" +
        "\ntransaction mode, which would lose alerts." +
        "\nSIGINT (Ctrl-C) and SIGTERM let it finish the call that is running; a second one does not wait." +
        "\nExit codes: 0 stopped by a signal, or with --once all is done, 1 something failed, 2 usage.",
    )
    .action(work);
}

function seconds(flags: string, description: string, value: number): Option {
  return new Option(flags, `seconds ${description}`).default(value).argParser((text) => {
    const number = Number(text);
    if (/^\d+$/.test(text) && number >= 1 && number <= WEEK) return number;
    throw new InvalidArgumentError(`It is a number of seconds from 1 to ${WEEK}.`);
  });
}

function parseWebhook(text: string): string {
  if (text === "") return text;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url && /^https?:$/.test(url.protocol) && !url.username && !url.password) return text;
  throw new InvalidArgumentError(
    "It is a URL that starts with https:// or http://, without a user.",
  );
}

async function work(flags: WorkerFlags): Promise<void> {
  const signals = listenForSignals();
  const [stop, hurry] = [new AbortController(), new AbortController()];
  signals.first.then(() => stop.abort());
  signals.second.then(() => hurry.abort());
  const options: WorkerOptions = {
    databaseUrl: flags.databaseUrl,
    // An empty environment variable is none.
    webhook: flags.webhook || undefined,
    tell: (line) => process.stdout.write(`${JSON.stringify(line)}\n`),
    warn: (line) => process.stderr.write(`${JSON.stringify(line)}\n`),
    stop: stop.signal,
    hurry: hurry.signal,
  };
  try {
    if (flags.once) {
      if (!(await runOnce(options))) process.exitCode = 1;
      return;
    }
    const [sealEvery, maintainEvery] = [flags.sealEvery * 1000, flags.maintainEvery * 1000];
    await runWorker({ ...options, sealEvery, maintainEvery });
  } finally {
    signals.forget();
  }
}
