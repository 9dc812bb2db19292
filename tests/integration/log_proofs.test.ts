import { createHash } from "node:crypto";
import { beforeAll, describe, expect, test } from "vitest";
import { nodeAlgorithms } from "../../src/signing/node_algorithms.js";
import { VerificationError, verifyConsistency, verifyInclusion } from "../../src/verify/index.js";
import { ids, sqlstate, type TestDatabase, useCluster, useDatabase } from "../harness/index.js";
import { checkpoint, consistencyProof, type LogHead, seal } from "../harness/log.js";
import {
  leafHash,
  type MerkleTree,
  merkleTree,
  provesConsistency,
  provesInclusion,
} from "../harness/merkle.js";

/*
 * What the database gives as roots, tiles and proofs, against a tree that is computed here from the
 * entries. Each proof is put to the reference of the harness, which follows the text of RFC 6962,
 * and to the verifier that is shipped, which follows RFC 9162: they have to agree.
 */

const cluster = useCluster({ fsync: "off" });
const small = useDatabase(cluster);
const large = useDatabase(cluster);

interface Inclusion {
  index: number;
  size: number;
  leaf: Buffer;
  root: Buffer;
  hashes: Buffer[];
}

interface Consistency {
  fromSize: number;
  fromRoot: Buffer;
  toSize: number;
  toRoot: Buffer;
  hashes: Buffer[];
}

async function includes(proof: Inclusion): Promise<boolean> {
  const { index, size, leaf, root, hashes } = proof;
  const accepted = await accepts(verifyInclusion(proof, nodeAlgorithms));
  if (provesInclusion(index, size, leaf, hashes, root) === accepted) return accepted;
  throw new Error(`the verifiers disagree on leaf ${index} of ${size}`);
}

async function isConsistent(proof: Consistency): Promise<boolean> {
  const { fromSize, fromRoot, toSize, toRoot, hashes } = proof;
  const accepted = await accepts(verifyConsistency(proof, nodeAlgorithms));
  if (provesConsistency(fromSize, fromRoot, toSize, toRoot, hashes) === accepted) return accepted;
  throw new Error(`the verifiers disagree on ${fromSize} to ${toSize}`);
}

async function accepts(verification: Promise<void>): Promise<boolean> {
  try {
    await verification;
    return true;
  } catch (error) {
    if (error instanceof VerificationError) return false;
    throw error;
  }
}

async function record(database: TestDatabase, entries: number): Promise<void> {
  await database.superuser.query(
    `insert into public.audit_log (organisation_id, action, entity_type, entity_id, details)
     select $1, 'test', 'thing', n::text, jsonb_build_object('n', n) from generate_series(1, $2::int) as n`,
    [ids.organisationA, entries],
  );
}

/** Entries of the log in the order of their leaves, as bytes: those of one trail, never purged. */
async function entriesOf(database: TestDatabase): Promise<Buffer[]> {
  const { rows: expression } = await database.superuser.query<{ sql: string }>(
    "select pgtrail._entry_expression('audit_log', 1::smallint) as sql",
  );
  const { rows } = await database.superuser.query<{ bytes: Buffer }>(
    `select ${expression[0]?.sql} as bytes from public.audit_log as entry order by entry.tx_id, entry.id`,
  );
  return rows.map(({ bytes }) => bytes);
}

/** Proofs that the first leaves of trees are in them, for leaves and sizes side by side. */
async function inclusionHashes(
  database: TestDatabase,
  leaves: number[],
  sizes: number[],
): Promise<Buffer[][]> {
  const { rows } = await database.superuser.query<{ hashes: Buffer[] }>(
    `select pgtrail._inclusion_hashes(1, leaf, size) as hashes
     from unnest($1::bigint[], $2::bigint[]) with ordinality as asked (leaf, size, place) order by place`,
    [leaves, sizes],
  );
  return rows.map(({ hashes }) => hashes);
}

/** Proofs of consistency, for older and newer sizes side by side. */
async function consistencyHashes(
  database: TestDatabase,
  from: number[],
  to: number[],
): Promise<Buffer[][]> {
  const { rows } = await database.superuser.query<{ hashes: Buffer[] }>(
    `select pgtrail.consistency_proof(older, newer) as hashes
     from unnest($1::bigint[], $2::bigint[]) with ordinality as asked (older, newer, place) order by place`,
    [from, to],
  );
  return rows.map(({ hashes }) => hashes);
}

/** Calls `work` for each value, two at a time: on two connections, and there are two cores. */
async function inPairs<T>(values: T[], work: (value: T) => Promise<void>): Promise<void> {
  const rest = [...values];
  const worker = async () => {
    for (let next = rest.pop(); next !== undefined; next = rest.pop()) await work(next);
  };
  await Promise.all([worker(), worker()]);
}

const upTo = (end: number) => Array.from({ length: end }, (_, i) => i);

describe("a log of every size from 0 to 300", () => {
  const last = 300;
  const heads: LogHead[] = [];
  let leaves: Buffer[];
  let tree: MerkleTree;

  const rootOf = (size: number) => heads[size]?.root as Buffer;

  beforeAll(async () => {
    heads.push(await checkpoint(small.superuser));
    await record(small, last);
    for (let size = 1; size <= last; size++) {
      expect(await seal(small.superuser, 1)).toBe(1);
      heads.push(await checkpoint(small.superuser));
    }
    leaves = (await entriesOf(small)).map(leafHash);
    tree = merkleTree(leaves);
  });

  test("has the root of its entries at each size, then and later", async () => {
    expect(heads.map(({ size }) => size)).toEqual(upTo(last + 1));
    for (const { size, root } of heads) {
      expect(root).toEqual(tree.root(size));
      expect((await checkpoint(small.superuser, size)).root).toEqual(root);
    }
  });

  test("every inclusion proof is accepted", async () => {
    let proofs = 0;
    await inPairs(upTo(last), async (before) => {
      const size = before + 1;
      const answers = await inclusionHashes(small, upTo(size), Array(size).fill(size));
      for (const [index, hashes] of answers.entries()) {
        const leaf = leaves[index] as Buffer;
        const root = rootOf(size);
        if (!(await includes({ index, size, leaf, root, hashes })))
          expect.fail(`${index}, ${size}`);
        proofs++;
      }
    });
    expect(proofs).toBe((last * (last + 1)) / 2);
  });

  test("consistency proofs are accepted: all of them up to 128, then every third", async () => {
    let proofs = 0;
    await inPairs(upTo(last + 1), async (toSize) => {
      const older = upTo(toSize + 1).filter(
        (fromSize) => toSize <= 128 || (toSize - fromSize) % 3 === toSize % 2,
      );
      const answers = await consistencyHashes(small, older, Array(older.length).fill(toSize));
      for (const [i, fromSize] of older.entries()) {
        const [fromRoot, toRoot] = [rootOf(fromSize), rootOf(toSize)];
        const hashes = answers[i] as Buffer[];
        if (!(await isConsistent({ fromSize, fromRoot, toSize, toRoot, hashes }))) {
          expect.fail(`${fromSize}, ${toSize}`);
        }
        proofs++;
      }
    });
    expect(proofs).toBeGreaterThan(20_000);
  });

  test("inclusion_proof() proves each entry, in the first tree that has it and in the last", async () => {
    const { rows } = await small.superuser.query<{ id: string }>(
      "select id from public.audit_log order by tx_id, id",
    );
    for (const [index, { id }] of rows.entries()) {
      for (const size of [index + 1, last]) {
        const { rows: answers } = await small.superuser.query(
          "select * from pgtrail.inclusion_proof('public.audit_log', $1, $2)",
          [id, size],
        );
        const { leaf_index, proof_tree_size, hashes, entry } = answers[0];
        expect([Number(leaf_index), Number(proof_tree_size)]).toEqual([index, size]);
        const root = rootOf(size);
        expect(await includes({ index, size, leaf: leafHash(entry), root, hashes })).toBe(true);
      }
    }
  });

  test("an entry is in no tree of as many leaves as are before it: the first leaf is leaf 0", async () => {
    const { rows } = await small.superuser.query<{ id: string; leaf: string }>(
      `select id, leaf from (
         select id, row_number() over (order by tx_id, id) - 1 as leaf from public.audit_log) as entry
       where leaf = any ($1)`,
      [[0, 1, 127, 128, 255, 256, last - 1]],
    );
    expect(rows).toHaveLength(7);
    for (const { id, leaf } of rows) {
      const proof = small.superuser.query(
        "select * from pgtrail.inclusion_proof('public.audit_log', $1, $2)",
        [id, leaf],
      );
      expect(await sqlstate(proof), `leaf ${leaf}`).toBe("PT404");
    }
  });

  test("an entry is what the database says it is", async () => {
    const { rows } = await small.superuser.query(
      `select entry.*, details::text as details_text, (extract(epoch from recorded_at) * 1000000)::text as recorded,
           pgtrail._entry_bytes('audit_log', id, 1::smallint) as bytes
       from public.audit_log as entry order by tx_id, id limit 1`,
    );
    const row = rows[0];
    const sha256 = (...parts: (Buffer | string)[]) =>
      createHash("sha256")
        .update(Buffer.concat(parts.map((part) => Buffer.from(part))))
        .digest();
    const salt = Buffer.from(row.erasure_salt.replaceAll("-", ""), "hex");
    expect(JSON.parse(row.bytes)).toEqual([
      "audit_log/1",
      row.id,
      ids.organisationA,
      null,
      "service",
      null,
      "postgres",
      "test",
      "thing",
      "1",
      null,
      sha256(sha256(salt, "details"), row.details_text).toString("hex"),
      null,
      null,
      null,
      null,
      Number(row.recorded),
      0,
      row.tx_id,
    ]);
  });
});

describe("a log of 70,000 entries", () => {
  const last = 70_000;
  /** Around powers of two and around multiples of a tile. */
  const sizes = [
    ...new Set(
      [...upTo(17).map((k) => 2 ** k), ...[3, 100, 255, 256, 257, 272, 273].map((k) => 256 * k)]
        .flatMap((size) => [size - 1, size, size + 1])
        .concat(last - 1, last),
    ),
  ]
    .filter((size) => size <= last)
    .sort((one, other) => one - other);
  const roots = new Map<number, Buffer>();
  let leaves: Buffer[];
  let tree: MerkleTree;

  const rootOf = (size: number) => roots.get(size) as Buffer;
  const leafOf = (index: number) => leaves[index] as Buffer;

  beforeAll(async () => {
    await record(large, last);
    expect(await seal(large.superuser)).toBe(last);
    leaves = (await entriesOf(large)).map(leafHash);
    tree = merkleTree(leaves);
    for (const size of sizes) roots.set(size, (await checkpoint(large.superuser, size)).root);
  });

  test("has the root of its entries at each size", () => {
    expect(sizes.length).toBeGreaterThan(60);
    for (const size of sizes) expect(rootOf(size), `${size}`).toEqual(tree.root(size));
  });

  test("has the tiles of C2SP tlog-tiles, and no other", async () => {
    const { rows } = await large.superuser.query<{
      level: number;
      numbers: number[];
      hashes: Buffer[];
    }>(
      `select level, array_agg(hashes order by tile_index) as hashes,
           array_agg(tile_index::int order by tile_index) as numbers
       from pgtrail.tile group by level order by level`,
    );
    expect(rows.map(({ level }) => level)).toEqual([0, 1, 2]);
    for (const { level, numbers, hashes } of rows) {
      const width = 256 ** level;
      const perfect = upTo(Math.floor(last / width)).map((n) =>
        merkleTree(leaves.slice(n * width, (n + 1) * width)).root(width),
      );
      expect(numbers).toEqual(upTo(Math.ceil(perfect.length / 256)));
      for (const n of numbers) {
        const tile = Buffer.concat(perfect.slice(n * 256, (n + 1) * 256));
        expect(hashes[n]?.equals(tile), `tile ${n} of level ${level}`).toBe(true);
      }
    }
  });

  test("inclusion proofs are accepted, of leaves at the edges of tiles and subtrees", async () => {
    const asked = sizes.flatMap((size) =>
      [0, 1, 255, 256, 257, 32_767, 65_535, 65_536, size >> 1, size - 2, size - 1]
        .filter((index) => index >= 0 && index < size)
        .map((index) => ({ index, size })),
    );
    const answers = await inclusionHashes(
      large,
      asked.map(({ index }) => index),
      asked.map(({ size }) => size),
    );
    for (const [i, { index, size }] of asked.entries()) {
      const hashes = answers[i] as Buffer[];
      const proof = { index, size, leaf: leafOf(index), root: rootOf(size), hashes };
      if (!(await includes(proof))) expect.fail(`${index}, ${size}`);
    }
  });

  test("consistency proofs are accepted, between every two of the sizes", async () => {
    await inPairs(sizes, async (toSize) => {
      const older = sizes.filter((size) => size <= toSize);
      const answers = await consistencyHashes(large, older, Array(older.length).fill(toSize));
      for (const [i, fromSize] of older.entries()) {
        const hashes = answers[i] as Buffer[];
        const proof = {
          fromSize,
          fromRoot: rootOf(fromSize),
          toSize,
          toRoot: rootOf(toSize),
          hashes,
        };
        if (!(await isConsistent(proof))) expect.fail(`${fromSize}, ${toSize}`);
      }
    });
  });

  /** Every value that differs from `bytes` in one bit. */
  function* flips(bytes: Buffer): Generator<Buffer> {
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = Buffer.from(bytes);
      flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
      yield flipped;
    }
  }

  /** Every list that differs from `hashes` in one bit, one hash, or the order of two neighbours. */
  function* damages(hashes: Buffer[]): Generator<Buffer[]> {
    for (const [i, hash] of hashes.entries()) {
      for (const flipped of flips(hash)) yield hashes.with(i, flipped);
      yield hashes.toSpliced(i, 1);
      yield hashes.toSpliced(i, 0, hash);
      const next = hashes[i + 1];
      if (next) yield hashes.with(i, next).with(i + 1, hash);
    }
    yield [...hashes, Buffer.alloc(32)];
  }

  test.each([
    [0, 2],
    [200, 257],
    [256, 257],
    [65_536, last],
    [last - 1, last],
    [12_345, last],
  ])("no inclusion proof survives a flipped bit: leaf %i of %i", async (index, size) => {
    const [hashes = []] = await inclusionHashes(large, [index], [size]);
    const proof = { index, size, leaf: leafOf(index), root: tree.root(size), hashes };
    expect(await includes(proof)).toBe(true);
    const wrong: Partial<Inclusion>[] = [
      ...[...flips(proof.leaf)].map((leaf) => ({ leaf })),
      ...[...flips(proof.root)].map((root) => ({ root })),
      ...[...damages(hashes)].map((each) => ({ hashes: each })),
      ...upTo(17).map((bit) => ({ index: index ^ (1 << bit) })),
    ];
    for (const change of wrong) {
      if (await includes({ ...proof, ...change })) expect.fail(`another ${Object.keys(change)}`);
    }
  });

  test.each([
    [1, 2],
    [128, 256],
    [255, 257],
    [256, 257],
    [65_536, last],
    [12_345, last],
    [last - 1, last],
  ])("no consistency proof survives a flipped bit: %i to %i", async (fromSize, toSize) => {
    const hashes = await consistencyProof(large.superuser, fromSize, toSize);
    const [fromRoot, toRoot] = [tree.root(fromSize), tree.root(toSize)];
    const proof = { fromSize, fromRoot, toSize, toRoot, hashes };
    expect(await isConsistent(proof)).toBe(true);
    const wrong: Partial<Consistency>[] = [
      ...[...flips(fromRoot)].map((each) => ({ fromRoot: each })),
      ...[...flips(toRoot)].map((each) => ({ toRoot: each })),
      ...[...damages(hashes)].map((each) => ({ hashes: each })),
    ];
    for (const change of wrong) {
      if (await isConsistent({ ...proof, ...change }))
        expect.fail(`another ${Object.keys(change)}`);
    }
  });
});
