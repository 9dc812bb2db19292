#!/usr/bin/env node
import { createRequire } from "node:module";
import { Command, CommanderError } from "commander";
import { UserError } from "./errors/user_error.js";

const USAGE = 2;

const { version } = createRequire(import.meta.url)("../package.json") as { version: string };

const program = new Command("pgtrail")
  .description(
    "Audit trails inside Postgres: append-only for every role, isolated by tenant, provable to an outsider.",
  )
  .version(version)
  .helpCommand(false)
  // A subcommand may have an option that its parent has too.
  .enablePositionalOptions()
  .exitOverride()
  .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, "pgtrail: ")) })
  .addHelpText(
    "after",
    "\nExample:\n  pgtrail up --demo\n" +
      "\nExit codes: 0 done, 1 something is wrong, 2 usage, 3 verification failed." +
      "\nPGTRAIL_DEBUG=1 shows stack traces.",
  );

/** Each command, in the order in which help shows them. */
const commands: readonly (readonly [string, () => Promise<Command>])[] = [
  ["up", async () => (await import("./commands/up.js")).upCommand()],
  ["migrate", async () => (await import("./commands/migrate.js")).migrateCommand()],
  ["doctor", async () => (await import("./commands/doctor.js")).doctorCommand()],
  ["worker", async () => (await import("./commands/worker.js")).workerCommand()],
  ["replay", async () => (await import("./commands/replay.js")).replayCommand()],
  ["seal", async () => (await import("./commands/seal.js")).sealCommand()],
  ["checkpoint", async () => (await import("./commands/checkpoint.js")).checkpointCommand()],
  ["export-tiles", async () => (await import("./commands/export_tiles.js")).exportTilesCommand()],
  ["archive", async () => (await import("./commands/archive.js")).archiveCommand()],
  ["prove", async () => (await import("./commands/prove.js")).proveCommand()],
  ["verify", async () => (await import("./commands/verify.js")).verifyCommand()],
];
// Nobody waits for what another command needs; help shows them all.
const asked = commands.filter(([name]) => name === process.argv[2]);
for (const [, load] of asked.length > 0 ? asked : commands) {
  const command = await load();
  program.addCommand(command.copyInheritedSettings(program));
  for (const subcommand of command.commands) subcommand.copyInheritedSettings(command);
}

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = report(error);
}

/** Tells what went wrong, on standard error or with --json as JSON, and returns the exit code. */
function report(error: unknown): number {
  // Commander has told it already.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USAGE;

  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  const isOurs = error instanceof UserError;
  const hint = isOurs ? error.hint : "This should not happen. Set PGTRAIL_DEBUG=1 to see where.";
  if (process.argv.includes("--json")) {
    process.stdout.write(`${JSON.stringify({ error: message, hint })}\n`);
  } else {
    process.stderr.write(`pgtrail: ${message}\n${hint ? `Hint: ${hint}\n` : ""}`);
  }
  if (process.env.PGTRAIL_DEBUG) process.stderr.write(`${stack}\n`);
  return isOurs ? error.exitCode : 1;
}
