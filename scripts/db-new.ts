import { Command } from "commander";
import { runCommand } from "./lib/command.js";
import { projectRoot } from "./lib/files.js";
import { writeNewMigration } from "./lib/migrations.js";

const command = new Command("db-new")
  .description("Writes an empty hand-written migration, named so that it is applied last.")
  .argument("<name>", "what it does, such as create_audit_log: a-z, 0-9 and underscores")
  .action((name: string) => {
    console.log(`migrations/${writeNewMigration(projectRoot, name)}`);
  });

await runCommand(command);
