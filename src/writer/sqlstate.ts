/** SQLSTATEs begin with a digit or one of few letters, which keeps EPIPE and P1001 out. */
const SQLSTATE = /^(?:[0-9][0-9A-Z]|F0|HV|P0|XX|TR)[0-9A-Z]{3}$/;

/** Data, integrity, limits of a program, and what triggers raise: classes of errors about a row. */
const ABOUT_A_ROW = /^(?:22|23|54|P0|TR)/;

/** What is not supported or not allowed, and statements that do not fit the table. */
const ABOUT_A_STATEMENT = /^(?:0A|21|42|44)/;

/** Whether a code is an SQLSTATE, and not that of a system, a driver or an ORM. */
export function isSqlstate(code: string): boolean {
  return SQLSTATE.test(code);
}

/** Whether the database refuses what one row has, and would take others of the same statement. */
export function isAboutARow(code: string): boolean {
  return SQLSTATE.test(code) && ABOUT_A_ROW.test(code);
}

/**
 * Whether the database refuses an entry and would refuse it again. What concerns the connection, the
 * login or the state of the server is not among that, and what is unknown is not either: to try
 * again costs little, to give up loses an event.
 */
export function isPermanent(code: string): boolean {
  return isAboutARow(code) || (SQLSTATE.test(code) && ABOUT_A_STATEMENT.test(code));
}
