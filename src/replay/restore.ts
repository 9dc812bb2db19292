import pg from "pg";
import { isAboutARow } from "../writer/sqlstate.js";
import { type Session, transaction } from "./session.js";
import type { Outcome, Row, Trail } from "./trail.js";

/**
 * Inserts rows of distinct ids that are not in their trail yet, and makes room for those that are
 * older than its partitions. A row that the database refuses keeps none of the others back: what
 * holds one is halved until it is alone. Raises what is not about a row, such as a lost connection;
 * sending all of them again is safe.
 *
 * @returns the outcomes, in the order of the rows
 */
export async function restore(
  session: Session,
  trail: Trail,
  rows: readonly Row[],
): Promise<Outcome[]> {
  if (rows.length === 0) return [];
  const { client } = session;
  try {
    return await transaction(session, () => trail.insert(client, rows));
  } catch (error) {
    if (!refusesARow(error)) throw error;
    const from = hasNoPartition(error) ? oldestToPrepare(rows) : undefined;
    const outcomes = from && (await prepareAndInsert(session, trail, rows, from));
    if (outcomes) return outcomes;
    if (rows.length === 1) return [{ kind: "refused", reason: reasonOf(error) }];
  }
  const middle = rows.length >> 1;
  return [
    ...(await restore(session, trail, rows.slice(0, middle))),
    ...(await restore(session, trail, rows.slice(middle))),
  ];
}

/** Makes room for old rows, if that is all they lack. In one transaction, for a dry run. */
async function prepareAndInsert(
  session: Session,
  trail: Trail,
  rows: readonly Row[],
  from: Date,
): Promise<Outcome[] | undefined> {
  const { client } = session;
  try {
    return await transaction(session, async () => {
      await client.query("select public.prepare_audit_backfill($1, $2)", [trail.name, from]);
      return trail.insert(client, rows);
    });
  } catch (error) {
    if (!refusesARow(error)) throw error;
    return undefined;
  }
}

function refusesARow(error: unknown): boolean {
  return error instanceof pg.DatabaseError && isAboutARow(error.code ?? "");
}

/** Never the DETAIL: it has the contents of the row. */
function reasonOf(error: unknown): string {
  const { code, message } = error as pg.DatabaseError;
  return `${code}: ${message}`;
}

/** The same code as that of a check, but no constraint. */
function hasNoPartition(error: unknown): boolean {
  return (
    error instanceof pg.DatabaseError && error.code === "23514" && error.constraint === undefined
  );
}

/** What prepare_audit_backfill takes; a time outside of it is a damaged id. */
const YEARS_BACK = 20;

/** Time of the oldest row that room can be made for. */
function oldestToPrepare(rows: readonly { id: string }[]): Date | undefined {
  const earliest = new Date();
  earliest.setUTCFullYear(earliest.getUTCFullYear() - YEARS_BACK);
  // A month of its own, so that a day or a clock does not decide.
  earliest.setUTCMonth(earliest.getUTCMonth() + 1);
  const times = rows
    .map(({ id }) => Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16))
    .filter((time) => time >= earliest.getTime() && time < Date.now());
  return times.length > 0 ? new Date(times.reduce((a, b) => Math.min(a, b))) : undefined;
}
