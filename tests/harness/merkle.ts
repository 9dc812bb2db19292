import { createHash } from "node:crypto";

/*
 * RFC 6962, section 2.1, as it is written there: recursively and over node:crypto. It shares no
 * code and no algorithm with the SQL functions and with src/verify, which are tested against it.
 */

/** Hash of a leaf: `sha256(0x00 || entry)`. */
export function leafHash(entry: Uint8Array): Buffer {
  return createHash("sha256").update(Uint8Array.of(0)).update(entry).digest();
}

/** Hash of an inner node: `sha256(0x01 || left || right)`. */
export function nodeHash(left: Uint8Array, right: Uint8Array): Buffer {
  return createHash("sha256").update(Uint8Array.of(1)).update(left).update(right).digest();
}

/** A tree over leaves that are known, of which any beginning can be hashed. */
export interface MerkleTree {
  /** MTH(D[size]): root of the first `size` leaves. */
  root(size: number): Buffer;
}

/** Computes trees over the first n of `leaves` (hashes of leaves, in order). */
export function merkleTree(leaves: readonly Uint8Array[]): MerkleTree {
  // Perfect subtrees are kept, so that many sizes of one tree cost little more than one.
  const perfect = new Map<number, Buffer>();

  function range(from: number, size: number): Buffer {
    if (size === 1) return leaves[from] as Buffer;
    // 2^17 leaves are more than any test has.
    const key = from * 2 ** 18 + size;
    const known = perfect.get(key);
    if (known) return known;
    const left = splitOf(size);
    const hash = nodeHash(range(from, left), range(from + left, size - left));
    if (size === left * 2) perfect.set(key, hash);
    return hash;
  }

  return {
    root(size) {
      if (size > leaves.length) throw new RangeError(`there are ${leaves.length} leaves`);
      return size === 0 ? createHash("sha256").digest() : range(0, size);
    },
  };
}

/**
 * Whether PATH(index, D[size]) leads from a leaf to a root (RFC 6962, section 2.1.1).
 *
 * @param hashes siblings, that of the leaf first
 */
export function provesInclusion(
  index: number,
  size: number,
  leaf: Uint8Array,
  hashes: readonly Uint8Array[],
  root: Uint8Array,
): boolean {
  const path = [...hashes];

  function climb(position: number, leaves: number): Uint8Array | undefined {
    if (leaves === 1) return leaf;
    const left = splitOf(leaves);
    const sibling = path.pop();
    const below = position < left ? climb(position, left) : climb(position - left, leaves - left);
    if (!sibling || !below) return undefined;
    return position < left ? nodeHash(below, sibling) : nodeHash(sibling, below);
  }

  if (index < 0 || index >= size) return false;
  const reached = climb(index, size);
  return path.length === 0 && reached !== undefined && equal(reached, root);
}

/**
 * Whether PROOF(fromSize, D[toSize]) shows that the tree with `fromRoot` is the beginning of the
 * tree with `toRoot` (RFC 6962, section 2.1.2).
 */
export function provesConsistency(
  fromSize: number,
  fromRoot: Uint8Array,
  toSize: number,
  toRoot: Uint8Array,
  hashes: readonly Uint8Array[],
): boolean {
  const proof = [...hashes];

  /** Roots of the older and the newer tree, as far as they lie in this subtree. */
  function climb(
    older: number,
    newer: number,
    whole: boolean,
  ): [Uint8Array, Uint8Array] | undefined {
    if (older === newer) {
      const hash = whole ? fromRoot : proof.pop();
      return hash && [hash, hash];
    }
    const left = splitOf(newer);
    const sibling = proof.pop();
    const below =
      older <= left ? climb(older, left, whole) : climb(older - left, newer - left, false);
    if (!sibling || !below) return undefined;
    return older <= left
      ? [below[0], nodeHash(below[1], sibling)]
      : [nodeHash(sibling, below[0]), nodeHash(sibling, below[1])];
  }

  if (fromSize < 0 || fromSize > toSize) return false;
  if (fromSize === 0) return proof.length === 0 && equal(fromRoot, createHash("sha256").digest());
  const reached = climb(fromSize, toSize, true);
  return (
    proof.length === 0 &&
    reached !== undefined &&
    equal(reached[0], fromRoot) &&
    equal(reached[1], toRoot)
  );
}

/** Where a tree of `size` leaves splits: the largest power of two below it. */
function splitOf(size: number): number {
  return 2 ** (Math.ceil(Math.log2(size)) - 1);
}

function equal(one: Uint8Array, other: Uint8Array): boolean {
  return Buffer.compare(one, other) === 0;
}
