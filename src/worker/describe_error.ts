import { asUserError } from "../database/as_user_error.js";
import { UserError } from "../errors/user_error.js";

/** What lines of JSON say about an error. Without a hint where there is none. */
export interface DescribedError {
  /** SQLSTATE, or code of the system such as ECONNREFUSED; null when there is none. */
  code: string | null;
  message: string;
  hint?: string;
}

/** Describes an error of the database or of a connection in plain words. */
export function describeError(error: unknown): DescribedError {
  const told = asUserError(error);
  const { message } = told instanceof Error ? told : new Error(String(told));
  const hint = told instanceof UserError ? told.hint : undefined;
  return { code: codeOf(error) ?? null, message, ...(hint === undefined ? {} : { hint }) };
}

function codeOf(error: unknown): string | undefined {
  const { code, cause } = error as { code?: string; cause?: unknown };
  return code ?? (cause ? codeOf(cause) : undefined);
}
