import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { runCommand } from "./lib/command.js";
import { projectRoot } from "./lib/files.js";
import { dumpMigrated } from "./lib/scratch.js";

const command = new Command("db-dump")
  .description("Migrates an empty database and writes its schema to schema.sql.")
  .option("--database-url <url>", "an empty database to use (default: on a temporary server)")
  .action(async ({ databaseUrl }: { databaseUrl?: string }) => {
    writeFileSync(join(projectRoot, "schema.sql"), await dumpMigrated(projectRoot, databaseUrl));
    console.log("schema.sql");
  });

await runCommand(command);
