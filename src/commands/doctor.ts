import { Command } from "commander";
import { connect } from "../database/connection.js";
import { checks, examine } from "../doctor/examine.js";
import type { Finding } from "../doctor/finding.js";
import { UserError } from "../errors/user_error.js";
import { databaseUrlOption } from "./database_url.js";

/** `pgtrail doctor`: examines an installation and says which statement mends what is wrong. Exit code 1 on errors. */
export function doctorCommand(): Command {
  return new Command("doctor")
    .description(
      "examine an installation: schema drift, guards, row security, partitions, privileges",
    )
    .addOption(databaseUrlOption())
    .option("--json", "print the findings as JSON")
    .addHelpText(
      "after",
      "\nExample:\n  pgtrail doctor --database-url postgres://postgres@localhost/app\n\nExit codes: 0 healthy (warnings allowed), 1 something is wrong, 2 usage.\nIt reads only. Run the statements it prints after: set role pgtrail_owner; those about roles and a team's own tables as their administrator.",
    )
    .action(async (options: { databaseUrl: string; json?: boolean }) => {
      const client = await connect(options.databaseUrl);
      try {
        const findings = await examine(client).catch((error) => {
          if (error.code !== "42501") throw error;
          throw new UserError(`this role may not look at pgtrail: ${error.message}`, {
            hint: "Connect as the role that migrates, or as a member of pgtrail_auditor.",
            cause: error,
          });
        });
        process.stdout.write(
          options.json ? `${JSON.stringify(findings, null, 2)}\n` : render(findings),
        );
        process.exitCode = findings.some((finding) => finding.level === "error") ? 1 : 0;
      } finally {
        await client.end();
      }
    });
}

/** The findings as a person reads them: one line a check, below it what is wrong and the statement that mends it. */
export function render(findings: readonly Finding[]): string {
  const names = new Set<string>([...checks, ...findings.map(({ check }) => check)]);
  const lines = [...names].flatMap((check) => {
    const found = findings.filter((finding) => finding.check === check);
    const state = found.some((finding) => finding.level === "error")
      ? "FAILED"
      : found.length > 0
        ? "warning"
        : "ok";
    return [
      `${check.padEnd(14)}${state}`,
      ...found.flatMap((finding) => [
        `  ${finding.level}: ${finding.message}`,
        ...(finding.fix === null ? [] : [`    fix: ${shorten(finding.fix, finding.file)}`]),
      ]),
    ];
  });
  return `${lines.join("\n")}\n`;
}

/** A function's source fills a screen: its first statement begins here, the whole is in --json. */
function shorten(text: string, file?: string): string {
  const [first = "", ...rest] = text.replace(/^(--.*\n)+/, "").split("\n");
  if (rest.length === 0) return first;
  const where = file === undefined ? "" : `, all in ${file}`;
  return `${first.trimEnd()} ... (${rest.length} more lines${where}, in full with --json)`;
}
