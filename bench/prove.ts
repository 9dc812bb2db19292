import type pg from "pg";
import { loadEntries } from "./entries.js";
import { sealAll } from "./log.js";
import { interleave, median, quantile } from "./measure.js";
import { type Report, verdict } from "./report.js";
import type { BenchServer } from "./server.js";
import { ORGANISATIONS } from "./shapes.js";

const MONTHS = 60;
const TARGET = 2;

/** Measures proofs in a log of one size and in one that is ten times as large. */
export async function prove(server: BenchServer, short: boolean): Promise<Report> {
  const size = short ? 50_000 : 1_000_000;
  const larger = size * 10;
  const rounds = short ? 50 : 300;
  const database = await server.createDatabase("bench_prove");
  try {
    const { superuser } = database;
    const owner = await database.connect({ role: "pgtrail_owner" });
    await loadEntries(owner, { entries: size, months: MONTHS, large: 1 / ORGANISATIONS });
    await sealAll(owner);
    await superuser.query("vacuum analyze");
    const { rows } = await owner.query(
      "select id from public.audit_log tablesample system (5) order by random() limit $1",
      [rounds],
    );
    const ids: string[] = rows.map((row) => row.id);

    const small = await interleave(rounds, proofs(owner, size, ids));
    await grow(superuser, size, larger);
    await superuser.query("vacuum analyze pgtrail.tile");
    const large = await interleave(rounds, proofs(owner, larger, ids));

    return {
      title: "proofs in a small and a large log",
      setup:
        `A log of ${size.toLocaleString("en")} entries of ${MONTHS} months, sealed in batches of 10,000, then grown to ` +
        `${larger.toLocaleString("en")} leaves by hashes that belong to no entry. In memory; entries, leaves and sizes drawn at random. ` +
        `Server time is the execution time that EXPLAIN (ANALYZE, TIMING OFF) tells, ${rounds} rounds.`,
      tables: [
        {
          title: "Server time, ms",
          columns: [
            "proof",
            `${size.toLocaleString("en")}, median`,
            "95%",
            `${larger.toLocaleString("en")}, median`,
            "95%",
            "target",
            "larger against smaller",
            "target",
          ],
          rows: Object.keys(small).map((name) => row(name, small[name] ?? [], large[name] ?? [])),
        },
      ],
      raw: { small, large },
    };
  } finally {
    await database.drop();
  }
}

function proofs(
  client: pg.Client,
  size: number,
  ids: string[],
): Record<string, () => Promise<number>> {
  const random = (below: number) => Math.floor(Math.random() * below);
  const id = () => ids[random(ids.length)];
  return {
    "inclusion_proof of an entry": () =>
      serverTime(client, "select * from pgtrail.inclusion_proof('public.audit_log', $1)", [id()]),
    "of which: finding its leaf": () =>
      serverTime(client, "select * from pgtrail._entry_leaf('audit_log', $1)", [id()]),
    "of which: hashes of any leaf": () =>
      serverTime(client, "select pgtrail._inclusion_hashes(1, $1, $2)", [random(size), size]),
    "consistency_proof from any size": () =>
      serverTime(client, "select pgtrail.consistency_proof($1)", [1 + random(size)]),
  };
}

/** In milliseconds. */
async function serverTime(client: pg.Client, text: string, values: unknown[]): Promise<number> {
  const { rows } = await client.query(
    `explain (analyze, timing off, buffers off, format json) ${text}`,
    values,
  );
  return rows[0]["QUERY PLAN"][0]["Execution Time"];
}

/** Appends leaves that belong to no entry. The log then proves well, but does not verify. */
async function grow(superuser: pg.Client, from: number, to: number): Promise<void> {
  await superuser.query(
    `insert into pgtrail.tile as tile (log_id, level, tile_index, hashes)
    select 1, 0, tile_index, (
        select string_agg(sha256(int8send(leaf)), ''::bytea order by leaf)
        from generate_series(greatest($1, tile_index * 256), least($2, tile_index * 256 + 256) - 1) as leaf
    )
    from generate_series($1::bigint >> 8, ($2::bigint - 1) >> 8) as tile_index
    on conflict on constraint tile_pkey do update set hashes = tile.hashes || excluded.hashes`,
    [from, to],
  );
  await superuser.query("select pgtrail._raise_tiles(1, $1, $2)", [from, to]);
  await superuser.query(
    "update pgtrail.log set tree_size = $1, root = pgtrail._range_hash(1, 0, $1) where log_id = 1",
    [to],
  );
}

function row(name: string, small: number[], large: number[]): string[] {
  const growth = median(large) / median(small);
  const judged = !name.startsWith("of which");
  return [
    name,
    ...[small, large].flatMap((times) =>
      [median(times), quantile(times, 0.95)].map((time) => time.toFixed(2)),
    ),
    judged
      ? verdict(Math.max(median(small), median(large)) <= TARGET, `<= ${TARGET.toFixed(0)} ms`)
      : "",
    `${growth.toFixed(2)} x`,
    judged ? verdict(growth <= 1.5 && growth >= 1 / 1.5, "within 1.5 x") : "",
  ];
}
