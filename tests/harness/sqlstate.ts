/**
 * SQLSTATE with which a query was refused.
 *
 * @param query a query that is expected to be refused
 * @returns the five characters, such as `42501`
 * @throws Error when the query succeeds, or fails without a SQLSTATE (a lost connection, a bug)
 */
export async function sqlstate(query: Promise<unknown>): Promise<string> {
  let outcome: unknown;
  try {
    outcome = await query;
  } catch (error) {
    const code = (error as { code?: unknown }).code;
    if (typeof code === "string" && /^[0-9A-Z]{5}$/.test(code)) return code;
    throw error;
  }
  const rows = (outcome as { rows?: unknown[] } | undefined)?.rows;
  throw new Error(`expected the query to be refused, but it succeeded: ${JSON.stringify(rows)}`);
}
