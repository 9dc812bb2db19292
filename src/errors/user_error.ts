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
