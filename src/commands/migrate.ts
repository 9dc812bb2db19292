import { Command } from "commander";
import { migrate } from "../database/migrate.js";
import { terminalScreen } from "../system/terminal.js";
import { databaseUrlOption } from "./database_url.js";

/** `pgtrail migrate`: applies what a database does not have yet. */
export function migrateCommand(): Command {
  return new Command("migrate")
    .description("apply the migrations that a database does not have yet")
    .addOption(databaseUrlOption())
    .option("--json", "print what was applied as JSON")
    .addHelpText(
      "after",
      "\nExample:\n  pgtrail migrate --database-url postgresql://postgres:secret@db.example.org/app\n" +
        "\nThe role needs CREATEROLE and CREATE on the database; superuser is not needed. Connect" +
        "\ndirectly, not through a pooler in transaction mode. Runs at the same time wait for each other." +
        "\nExit codes: 0 the database is up to date, 1 something is wrong, 2 usage.",
    )
    .action(async ({ databaseUrl, json }: { databaseUrl: string; json?: true }) => {
      if (json) {
        process.stdout.write(`${JSON.stringify(await migrate({ databaseUrl }))}\n`);
        return;
      }
      const screen = terminalScreen();
      const { applied } = await migrate({ databaseUrl, log: screen.line });
      const check = screen.style.green("✓");
      screen.line(
        applied.length > 0 ? `${check} ${applied.length} applied` : `${check} nothing to apply`,
      );
    });
}
