import { Command } from "commander";
import { check } from "./lib/check.js";
import { runCommand } from "./lib/command.js";
import { projectRoot } from "./lib/files.js";

const command = new Command("db_check")
  .description(
    "Checks that sql/, migrations/ and what is generated fit together. Exits with 1 when not.",
  )
  .option("--text", "only the checks that need no database")
  .action(async ({ text = false }: { text?: boolean }) => {
    for await (const result of check(projectRoot, text)) {
      console.log(`${result.status.padEnd(7)}  ${result.gate.padEnd(8)}  ${result.summary}`);
      if (result.status !== "FAILED") continue;
      for (const problem of result.problems) console.log(`    ${problem}`);
      console.log(`    ${result.remedy}`);
      process.exitCode = 1;
    }
  });

await runCommand(command);
