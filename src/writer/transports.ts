import { classify } from "./classify.js";
import { columnNames, defineColumns } from "./columns.js";
import type { AuditEntry, Transport } from "./types.js";

/** What a transport needs of a client of node-postgres. */
export interface PgClient {
  query(text: string, values: unknown[]): Promise<unknown>;
}

/** What a transport needs of a client that belongs to a pool. */
export interface PgPoolClient extends PgClient {
  on(event: "error", listener: (error: Error) => void): unknown;
  removeListener(event: "error", listener: (error: Error) => void): unknown;
  /** Gives the client back; with true its connection is closed instead. */
  release(destroy?: boolean): void;
}

/** What a transport needs of a pool of node-postgres. */
export interface PgPool {
  connect(callback: (error: Error | undefined, client: PgPoolClient | undefined) => void): void;
  on(event: "error", listener: (error: Error) => void): unknown;
  removeListener(event: "error", listener: (error: Error) => void): unknown;
}

/** What a transport needs of supabase-js or of postgrest-js. */
export interface PostgrestClient {
  from(table: "audit_log"): {
    upsert(
      rows: AuditEntry[],
      options: { onConflict: string; ignoreDuplicates: boolean },
    ): PromiseLike<{ error: unknown; status?: number }>;
  };
}

const everyColumn = 2 ** columnNames.length - 1;

/** Statements by the columns that they fill, a bit for each: for one entry, and for any number. */
const statements = { one: new Map<number, string>(), many: new Map<number, string>() };
const skipExisting = " on conflict (id) do nothing";

/**
 * Inserts an entry on a client of node-postgres. An id that is there already is left alone. Rejects
 * with the error of the database.
 */
export async function insertEntry(client: PgClient, entry: AuditEntry): Promise<void> {
  const { text, values } = insertStatement([entry]);
  await client.query(text + skipExisting, values);
}

/** Inserts entries in one statement, outside of a transaction; without entries it only asks. */
async function insertEntries(client: PgClient, entries: readonly AuditEntry[]): Promise<void> {
  const { text, values } = insertStatement(entries);
  try {
    await client.query(text, values);
  } catch (error) {
    // So seldom that to provide for it in each statement costs more.
    if (classify(error) !== "duplicate") throw error;
    if (entries.length > 1) await client.query(text + skipExisting, values);
  }
}

/**
 * An INSERT of entries, which fails with 23505 when an id is there already. A column that is left
 * out costs the server nothing, and most entries leave out a few.
 */
function insertStatement(entries: readonly AuditEntry[]): { text: string; values: string[] } {
  let filled = entries.length === 0 ? everyColumn : 0;
  for (const entry of entries) {
    for (const [index, name] of columnNames.entries()) {
      if (entry[name] !== null) filled |= 1 << index;
    }
  }
  const [entry] = entries;
  const one = entries.length === 1 ? entry : undefined;
  const known = statements[one ? "one" : "many"];
  const list = columnNames.filter((_, index) => filled & (1 << index));
  let text = known.get(filled);
  if (text === undefined) {
    const names = list.join(", ");
    const rows = one
      ? `values (${list.map((_, index) => `$${index + 1}`).join(", ")})`
      : `select ${names} from pg_catalog.jsonb_to_recordset($1::jsonb) as entry (${defineColumns(list)})`;
    text = `insert into public.audit_log (${names}) ${rows}`;
    known.set(filled, text);
  }
  if (!one) return { text, values: [JSON.stringify(entries)] };
  // Objects are passed as JSON, whatever parsers and serialisers the application has set up.
  const values = list.map((name) => {
    const value = one[name];
    return typeof value === "object" ? JSON.stringify(value) : value;
  });
  return { text, values };
}

const ignore = () => {};

/**
 * A transport over a pool of node-postgres, whose role must be allowed to insert into `audit_log`,
 * as service_role is. When it is aborted it stops waiting, for a connection as well as for an
 * answer, and closes the connection that it asked.
 */
export function pgTransport(pool: PgPool): Transport {
  // Idle connections that break tell the pool, and without a listener that ends the process. One
  // listener is enough for any number of writers.
  pool.removeListener("error", ignore);
  pool.on("error", ignore);

  return async (entries, signal) => {
    const client = await untilAborted(checkOut(pool), signal, giveBack);
    try {
      await untilAborted(insertEntries(client, entries), signal);
    } catch (error) {
      // What failed may lie with the connection, such as that its session is read-only, and would
      // stay with it. The listener stays, as a connection that is closed may still complain.
      client.release(true);
      throw error;
    }
    giveBack(client);
  };
}

/**
 * Takes a client out of the pool. By the time a promise of the pool is acted on, a client without a
 * listener may have ended the process: that its connection ends can come with its first answer.
 */
function checkOut(pool: PgPool): Promise<PgPoolClient> {
  return new Promise((resolve, reject) => {
    pool.connect((error, client) => {
      if (!client) return reject(error);
      client.on("error", ignore);
      resolve(client);
    });
  });
}

function giveBack(client: PgPoolClient): void {
  client.removeListener("error", ignore);
  client.release();
}

/** Settles as the promise does, or rejects when the signal comes first. */
function untilAborted<T>(
  promise: Promise<T>,
  signal: AbortSignal,
  tooLate: (value: T) => void = () => {},
): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    promise.then(
      (value) => {
        signal.removeEventListener("abort", abort);
        if (signal.aborted) tooLate(value);
        resolve(value);
      },
      (error) => {
        signal.removeEventListener("abort", abort);
        reject(error);
      },
    );
  });
}

/**
 * A transport over supabase-js, whose key must be that of service_role. Needs `audit_log` in the
 * exposed schema `public`.
 */
export function postgrestTransport(supabase: PostgrestClient): Transport {
  return async (entries, signal) => {
    const request = supabase
      .from("audit_log")
      .upsert([...entries], { onConflict: "id", ignoreDuplicates: true });
    const { error, status } = await abortable(request, signal);
    if (error) {
      // The status is all there is to go by when a proxy answered instead of PostgREST.
      throw typeof error === "object" ? { status, ...error } : error;
    }
  };
}

/** The request, cancelled with the signal where its version can be. */
export function abortable<T>(request: PromiseLike<T>, signal: AbortSignal): PromiseLike<T> {
  const { abortSignal } = request as { abortSignal?: (signal: AbortSignal) => PromiseLike<T> };
  return abortSignal ? abortSignal.call(request, signal) : request;
}
