import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { runCommand } from "./lib/command.js";
import { projectRoot } from "./lib/files.js";
import { migrateEmpty, withScratchDatabase } from "./lib/scratch.js";
import { generateTypes } from "./lib/types.js";

const command = new Command("db-types")
  .description(
    "Migrates an empty database and writes the types of its API to src/database/types.ts.",
  )
  .action(async () => {
    const types = await withScratchDatabase(async ({ migratorUrl }) => {
      await migrateEmpty(projectRoot, migratorUrl);
      return generateTypes(projectRoot, migratorUrl);
    });
    writeFileSync(join(projectRoot, "src", "database", "types.ts"), types);
    console.log("src/database/types.ts");
  });

await runCommand(command);
