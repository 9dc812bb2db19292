import { Command } from "commander";
import { runCommand } from "./lib/command.js";
import { projectRoot } from "./lib/files.js";
import { buildMigrations } from "./lib/migrations.js";

const command = new Command("db_build")
  .description(
    "Makes migrations/ of sql/: the install set, or after a release one delta behind what it had.",
  )
  .action(() => {
    const changed = buildMigrations(projectRoot);
    for (const name of changed) console.log(`migrations/${name}`);
    if (changed.length === 0) console.log("migrations/ is as sql/ has it");
  });

await runCommand(command);
