import type pg from "pg";
import { type TrailName, trailOf } from "./trails.js";

/** Arguments of a paged RPC beyond the organisation: its filters, and what all have. */
export interface Filters {
  p_from_date?: string | null;
  p_to_date?: string | null;
  p_page?: number | null;
  p_page_size?: number | null;
  p_cursor?: string | null;
  [filter: string]: string | number | null | undefined;
}

/** A row of a page. */
export interface Row {
  id: string;
  next_page: string | null;
  [column: string]: unknown;
}

/** One page of a trail, as the role of the client. */
export async function getPage(
  client: pg.ClientBase,
  trail: TrailName,
  organisation: string | null,
  filters: Filters = {},
): Promise<Row[]> {
  const named = Object.keys(filters).map((name, i) => `, ${name} => $${i + 2}`);
  const { rows } = await client.query<Row>(
    `select * from public.${trailOf(trail).rpc}($1${named.join("")})`,
    [organisation, ...Object.values(filters)],
  );
  return rows;
}

/** Pages one after the other, each read with the cursor of the one before. */
export async function* eachPage(
  read: (cursor: string | null) => Promise<Row[]>,
): AsyncGenerator<Row[]> {
  let cursor: string | null = null;
  do {
    const page = await read(cursor);
    yield page;
    cursor = page.at(-1)?.next_page ?? null;
  } while (cursor !== null);
}
