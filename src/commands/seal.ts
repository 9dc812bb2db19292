import { Command } from "commander";
import { count, silentScreen, terminalScreen } from "../system/terminal.js";
import { databaseUrlOption } from "./database_url.js";
import { logSize, withLog } from "./with_log.js";

/** Entries that one transaction seals. */
const AT_ONCE = 50_000;

/** `pgtrail seal`: seals what is committed and not in the log yet. */
export function sealCommand(): Command {
  return new Command("seal")
    .description("seal the entries that are not in the log yet")
    .addOption(databaseUrlOption())
    .option("--json", "print what was sealed as JSON")
    .addHelpText(
      "after",
      "\nExample:\n  pgtrail seal --database-url postgresql://postgres:secret@db.example.org/app\n" +
        "\nAn entry can be sealed once every transaction that was open when it was written has ended." +
        "\nThe database role has to be a member of pgtrail_owner." +
        "\nExit codes: 0 nothing is left to seal, 1 something is wrong, 2 usage.",
    )
    .action(async ({ databaseUrl, json }: { databaseUrl: string; json?: true }) => {
      const screen = json ? silentScreen() : terminalScreen();
      const result = await withLog(databaseUrl, async (client) => {
        let sealed = 0;
        let found: number;
        do {
          const { rows } = await client.query("select pgtrail.seal($1)::int as found", [AT_ONCE]);
          found = rows[0].found;
          sealed += found;
          if (found === AT_ONCE) screen.line(`${count(sealed)} sealed …`);
          // Less than that was all there was; writers that never pause would keep us here for ever.
        } while (found === AT_ONCE);
        return { sealed, size: await logSize(client) };
      });
      screen.line(`${count(result.sealed)} sealed; the log has ${count(result.size)} entries`);
      if (json) process.stdout.write(`${JSON.stringify(result)}\n`);
    });
}
