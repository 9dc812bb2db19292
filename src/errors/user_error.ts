export interface UserErrorOptions {
  /** What to do about it: one sentence, shown on a line of its own. */
  hint?: string | undefined;
  /** Exit code of the command line: 1 (default) something is wrong, 2 wrong usage. */
  exitCode?: number | undefined;
  cause?: unknown;
}

/**
 * An error that the user can do something about. The command line shows its message and hint, and
 * never its stack. The message is lower case and says what happened and the value found.
 */
export class UserError extends Error {
  override readonly name = "UserError";
  readonly hint: string | undefined;
  readonly exitCode: number;

  constructor(message: string, options: UserErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.hint = options.hint;
    this.exitCode = options.exitCode ?? 1;
  }
}

/**
 * SQLSTATEs of pgtrail's own, for domain rules that no standard code fits, and what they mean. The
 * database raises them with a message, a DETAIL and a HINT; docs/errors.md has the standard ones too.
 */
export const PGTRAIL_ERRORS: Readonly<Record<string, string>> = {
  TR001: "a table does not have the shape of a trail",
  TR002: "pgtrail is already installed through another history table",
  TR003: "the log does not hold what was presented",
  TR004: "an entry cannot be erased while a legal hold covers it",
  TR005: "retention is not enabled in this copy of the database",
};
