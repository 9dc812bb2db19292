import type pg from "pg";

/** Seals until nothing is left. */
export async function sealAll(sealer: pg.Client): Promise<void> {
  while ((await seal(sealer)) > 0);
}

/** Calls `pgtrail.seal()` once. Returns how many entries it took, 50,000 at most. */
export async function seal(sealer: pg.Client): Promise<number> {
  const { rows } = await sealer.query("select pgtrail.seal() as sealed");
  return Number(rows[0].sealed);
}

/** Number of leaves of the log. */
export async function treeSize(sealer: pg.Client): Promise<number> {
  const { rows } = await sealer.query("select tree_size from pgtrail.log where log_id = 1");
  return Number(rows[0].tree_size);
}
