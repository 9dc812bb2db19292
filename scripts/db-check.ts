import { Command } from "commander";
import { check } from "./lib/check.js";
import { runCommand } from "./lib/command.js";
import { projectRoot } from "./lib/files.js";

const command = new Command("db-check")
  .description(
    "Checks that migrations, sources, history and schema.sql fit together. Exits with 1 when they " +
      "do not.",
  )
  .option("--text", "only the checks that need no database")
  .option("--landed-in <commit>", "whose migrations may not change any more", "HEAD")
  .action(async ({ text = false, landedIn }: { text?: boolean; landedIn: string }) => {
    for await (const result of check(projectRoot, { textOnly: text, landedIn })) {
      console.log(`${result.status.padEnd(7)}  ${result.gate.padEnd(7)}  ${result.summary}`);
      if (result.status !== "FAILED") continue;
      for (const problem of result.problems) console.log(`    ${problem}`);
      console.log(`    ${result.remedy}`);
      process.exitCode = 1;
    }
  });

await runCommand(command);
