import type pg from "pg";
import type { Json } from "../writer/types.js";

/** What is to be restored: a value for each column of its trail, null where the log has none. */
export type Row = { [column: string]: Json } & { id: string };

/** What became of one row. */
export type Outcome =
  | { kind: "inserted" }
  | { kind: "alreadyThere" }
  /** The database has another row under this id. */
  | { kind: "conflict" }
  | { kind: "refused"; reason: string };

/** Columns, and what their values look like. Lengths are the database's to judge. */
export type Columns<Name extends string> = Readonly<Record<Name, (value: unknown) => boolean>>;

/** A trail, how its rows are read from a log, and how it takes what is restored to it. */
export interface Trail {
  /** Its table in public, as prepare_audit_backfill knows it. */
  name: string;
  /** The property of a structured line that has the row. */
  property: string;
  /** The columns that are inserted, in the order of the table. */
  columns: Columns<string>;
  /** Inserts rows of distinct ids that are not there yet, all or none. Outcomes are in their order. */
  insert(client: pg.ClientBase, rows: readonly Row[]): Promise<Outcome[]>;
}
