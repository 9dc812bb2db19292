import { Command } from "commander";
import { runCommand } from "./lib/command.js";
import { projectRoot } from "./lib/files.js";
import { formatFinding, lintProject } from "./lib/lint.js";

const command = new Command("db-lint")
  .description("Applies the text rules to migrations/ and sql/. Exits with 1 when one is broken.")
  .action(() => {
    const findings = lintProject(projectRoot);
    for (const finding of findings) console.log(formatFinding(finding));
    if (findings.length > 0) process.exitCode = 1;
  });

await runCommand(command);
