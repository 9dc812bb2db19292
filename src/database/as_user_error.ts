import pg from "pg";
import { VERIFICATION_FAILED } from "../errors/exit_codes.js";
import { UserError } from "../errors/user_error.js";

/** What the database refuses, or a lost connection, as UserError; every other error as it is. */
export function asUserError(error: unknown): unknown {
  if (error instanceof pg.DatabaseError) {
    const { code = "", message, detail, hint = HINTS[code] } = error;
    const exitCode = NOT_WHAT_WAS_SEALED.includes(code) ? VERIFICATION_FAILED : 1;
    const text = detail ? `${message}: ${detail}` : message;
    return new UserError(text, { hint, exitCode, cause: error });
  }
  // What pg raises on a lost connection has no class of its own.
  if (error instanceof Error && /^(Connection terminated|Client has en)/.test(error.message)) {
    return new UserError("the connection to the database was lost", { cause: error });
  }
  return error;
}

/** Something does not fit the log; a tile of the log is damaged. */
const NOT_WHAT_WAS_SEALED = ["TR003", "XX001"];

const notInstalled = "This database has no log of pgtrail yet: run pgtrail migrate.";

const HINTS: Readonly<Record<string, string>> = {
  "42501": "Connect as a member of pgtrail_owner, or only to read as one of pgtrail_auditor.",
  "3F000": notInstalled,
  "42P01": notInstalled,
  "42883": notInstalled,
};
