import type pg from "pg";

/** Whatever runs a query: a pool, or a client with a transaction of its own. */
export type Queryable = Pick<pg.Pool | pg.ClientBase, "query">;

/** A row of `pgtrail.verify()`. */
export interface Defect {
  defect: string;
  trail_name: string | null;
  entry_id: string | null;
  detail: string;
}

/** What a checkpoint says. */
export interface LogHead {
  origin: string;
  /** Leaves of the tree. */
  size: number;
  root: Buffer;
}

/** Seals until nothing is left, or one call of `maxEntries`. Returns how many entries it took. */
export async function seal(client: Queryable, maxEntries?: number): Promise<number> {
  let sealed = 0;
  for (;;) {
    const { rows } = await client.query<{ sealed: string }>("select pgtrail.seal($1) as sealed", [
      maxEntries ?? 50_000,
    ]);
    sealed += Number(rows[0]?.sealed);
    if (maxEntries || Number(rows[0]?.sealed) === 0) return sealed;
  }
}

/** All that `pgtrail.verify()` finds. */
export async function verify(client: Queryable): Promise<Defect[]> {
  const { rows } = await client.query<Defect>("select * from pgtrail.verify()");
  return rows;
}

/** The checkpoint of a size, by default of the whole log, read as a C2SP tlog-checkpoint. */
export async function checkpoint(client: Queryable, size?: number): Promise<LogHead> {
  const { rows } = await client.query<{ body: string }>("select pgtrail.checkpoint($1) as body", [
    size ?? null,
  ]);
  const [origin = "", leaves, root = ""] = (rows[0]?.body ?? "").split("\n");
  return { origin, size: Number(leaves), root: Buffer.from(root, "base64") };
}

/** Hashes of the proof that the tree of `from` is the beginning of that of `to` leaves. */
export async function consistencyProof(
  client: Queryable,
  from: number,
  to: number,
): Promise<Buffer[]> {
  const { rows } = await client.query<{ hashes: Buffer[] }>(
    "select pgtrail.consistency_proof($1, $2) as hashes",
    [from, to],
  );
  return rows[0]?.hashes ?? [];
}
