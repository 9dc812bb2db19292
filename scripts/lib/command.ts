import type { Command } from "commander";
import { UserError } from "../../src/errors/user_error.js";

/**
 * Runs a script's command line. A UserError is shown as its message and hint and sets the exit
 * code; any other error is a defect of the script and keeps its stack.
 */
export async function runCommand(command: Command): Promise<void> {
  try {
    await command.parseAsync();
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    console.error(`error: ${error.message}`);
    if (error.hint !== undefined) console.error(`hint: ${error.hint}`);
    process.exitCode = error.exitCode;
  }
}
