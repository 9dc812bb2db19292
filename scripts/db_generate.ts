import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Command } from "commander";
import { runCommand } from "./lib/command.js";
import { projectRoot } from "./lib/files.js";
import { generateFiles } from "./lib/generate.js";
import { withScratchServer } from "./lib/scratch.js";

const command = new Command("db_generate")
  .description("Installs sql/ in an empty database and writes what is generated from it.")
  .action(async () => {
    const files = await withScratchServer(async (createDatabase) =>
      generateFiles(projectRoot, await createDatabase()),
    );
    for (const [path, text] of files) {
      mkdirSync(dirname(join(projectRoot, path)), { recursive: true });
      writeFileSync(join(projectRoot, path), text);
      console.log(path);
    }
  });

await runCommand(command);
