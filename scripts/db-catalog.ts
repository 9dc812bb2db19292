import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { readCatalog } from "../src/doctor/catalog.js";
import { runCommand } from "./lib/command.js";
import { withClient } from "./lib/database.js";
import { projectRoot } from "./lib/files.js";
import { migrateEmpty, withScratchDatabase } from "./lib/scratch.js";

const command = new Command("db-catalog")
  .description(
    "Migrates an empty database and writes its catalog facts to catalog.json, for doctor.",
  )
  .action(async () => {
    const facts = await withScratchDatabase(async ({ migratorUrl }) => {
      await migrateEmpty(projectRoot, migratorUrl);
      return withClient(migratorUrl, readCatalog);
    });
    writeFileSync(join(projectRoot, "catalog.json"), `${JSON.stringify(facts, null, 1)}\n`);
    console.log("catalog.json");
  });

await runCommand(command);
