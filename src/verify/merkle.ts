import { type Algorithms, webCrypto } from "./algorithms.js";
import { concat, equal, hex } from "./bytes.js";
import { VerificationError } from "./error.js";

/** Bytes of a hash. */
export const HASH_SIZE = 32;

const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);

/** Hash of a leaf that holds `entry` (RFC 6962, 2.1). */
export async function leafHash(
  entry: Uint8Array,
  algorithms: Algorithms = webCrypto,
): Promise<Uint8Array> {
  return algorithms.sha256(concat(LEAF, entry));
}

/** Hash of the node above two others (RFC 6962, 2.1). */
export async function nodeHash(
  left: Uint8Array,
  right: Uint8Array,
  algorithms: Algorithms = webCrypto,
): Promise<Uint8Array> {
  return algorithms.sha256(concat(NODE, left, right));
}

/** Root of the tree without leaves. */
export async function emptyRoot(algorithms: Algorithms = webCrypto): Promise<Uint8Array> {
  return algorithms.sha256(new Uint8Array());
}

/** That a leaf is in a tree. */
export interface InclusionProof {
  /** Position of the leaf, from 0. */
  index: number;
  /** Leaves of the tree. */
  size: number;
  /** The leaf, as leafHash() gives it. */
  leaf: Uint8Array;
  /** What lies beside the path from the leaf up to the root, the leaf's sibling first. */
  hashes: readonly Uint8Array[];
}

/**
 * Root of the one tree that this proof fits (RFC 9162, 2.1.3.2).
 *
 * Raises VerificationError `malformed_proof` when the leaf is outside the tree or the number or the
 * length of the hashes is not what a tree of this size needs.
 */
export async function rootFromInclusion(
  { index, size, leaf, hashes }: InclusionProof,
  algorithms: Algorithms = webCrypto,
): Promise<Uint8Array> {
  expectSize(size);
  if (!Number.isSafeInteger(index) || index < 0 || index >= size) {
    throw malformed(`leaf ${index} is not in a tree of ${size} leaves`);
  }
  expectHashes([leaf, ...hashes]);

  let [position, last] = [index, size - 1];
  let root = leaf;
  for (const hash of hashes) {
    if (last === 0) throw wrongLength(hashes);
    if (isOdd(position) || position === last) {
      root = await nodeHash(hash, root, algorithms);
      // Where the tree is not full, the path skips levels.
      while (!isOdd(position) && position > 0) [position, last] = [half(position), half(last)];
    } else {
      root = await nodeHash(root, hash, algorithms);
    }
    [position, last] = [half(position), half(last)];
  }
  if (last !== 0) throw wrongLength(hashes);
  return root;
}

/**
 * Verifies that a leaf is in the tree with this root.
 *
 * Raises VerificationError `wrong_root` when it is not, and `malformed_proof` as
 * rootFromInclusion() does.
 */
export async function verifyInclusion(
  proof: InclusionProof & { root: Uint8Array },
  algorithms: Algorithms = webCrypto,
): Promise<void> {
  const root = await rootFromInclusion(proof, algorithms);
  if (equal(root, proof.root)) return;
  throw new VerificationError(
    "wrong_root",
    `the proof of leaf ${proof.index} leads to root ${hex(root)}, not to ${hex(proof.root)}`,
  );
}

/** That an older tree is the beginning of a newer one. */
export interface ConsistencyProof {
  fromSize: number;
  fromRoot: Uint8Array;
  toSize: number;
  toRoot: Uint8Array;
  /** As RFC 6962, 2.1.2 orders them. */
  hashes: readonly Uint8Array[];
}

/**
 * Verifies that the tree with `fromRoot` is the beginning of the tree with `toRoot` (RFC 9162,
 * 2.1.4.2). Every tree begins with the empty one, and a tree with itself, both by an empty proof.
 *
 * Raises VerificationError `wrong_root` when it is not, and `malformed_proof` when the sizes go
 * backwards or the number or the length of the hashes is not what these sizes need.
 */
export async function verifyConsistency(
  { fromSize, fromRoot, toSize, toRoot, hashes }: ConsistencyProof,
  algorithms: Algorithms = webCrypto,
): Promise<void> {
  expectSize(fromSize);
  expectSize(toSize);
  if (fromSize > toSize) {
    throw malformed(`a tree of ${toSize} leaves cannot begin with one of ${fromSize}`);
  }
  expectHashes([fromRoot, toRoot, ...hashes]);

  if (fromSize === 0 || fromSize === toSize) {
    if (hashes.length > 0) throw wrongLength(hashes);
    expectRoot(fromSize, fromSize === 0 ? await emptyRoot(algorithms) : toRoot, fromRoot);
    if (toSize === 0) expectRoot(toSize, fromRoot, toRoot);
    return;
  }

  let [position, last] = [fromSize - 1, toSize - 1];
  while (isOdd(position)) [position, last] = [half(position), half(last)];
  // A full older tree is a node of the newer one; the proof leaves its hash out.
  const [first, ...rest] = position === 0 ? [fromRoot, ...hashes] : hashes;
  if (first === undefined) throw wrongLength(hashes);
  let [older, newer] = [first, first];
  for (const hash of rest) {
    if (last === 0) throw wrongLength(hashes);
    if (isOdd(position) || position === last) {
      older = await nodeHash(hash, older, algorithms);
      newer = await nodeHash(hash, newer, algorithms);
      while (!isOdd(position) && position > 0) [position, last] = [half(position), half(last)];
    } else {
      newer = await nodeHash(newer, hash, algorithms);
    }
    [position, last] = [half(position), half(last)];
  }
  if (last !== 0) throw wrongLength(hashes);
  expectRoot(fromSize, older, fromRoot);
  expectRoot(toSize, newer, toRoot);
}

/**
 * Root of leaves or nodes side by side on one level.
 *
 * @param hashes their hashes in one byte string, a power of two of them
 */
export async function perfectRoot(
  hashes: Uint8Array,
  algorithms: Algorithms = webCrypto,
): Promise<Uint8Array> {
  let level: Uint8Array[] = split(hashes);
  while (level.length > 1) {
    level = await Promise.all(
      level
        .filter((_, i) => i % 2 === 0)
        .map((left, i) => nodeHash(left, level[2 * i + 1] as Uint8Array, algorithms)),
    );
  }
  return level[0] as Uint8Array;
}

function split(hashes: Uint8Array): Uint8Array[] {
  return Array.from({ length: hashes.length / HASH_SIZE }, (_, i) =>
    hashes.subarray(i * HASH_SIZE, (i + 1) * HASH_SIZE),
  );
}

// Not the bit operators: they know 32 bits only.
const half = (value: number) => Math.floor(value / 2);
const isOdd = (value: number) => value % 2 === 1;

function expectSize(size: number): void {
  if (!Number.isSafeInteger(size) || size < 0) throw malformed(`${size} is no size of a tree`);
}

function expectHashes(hashes: readonly Uint8Array[]): void {
  const other = hashes.find((hash) => hash.length !== HASH_SIZE);
  if (other) throw malformed(`a hash has ${HASH_SIZE} bytes, this one has ${other.length}`);
}

function expectRoot(size: number, computed: Uint8Array, claimed: Uint8Array): void {
  if (equal(computed, claimed)) return;
  throw new VerificationError(
    "wrong_root",
    `the proof leads to root ${hex(computed)} of the tree of ${size} leaves, not to ${hex(claimed)}`,
  );
}

function wrongLength(hashes: readonly Uint8Array[]): VerificationError {
  return malformed(`the number of hashes, ${hashes.length}, does not fit the size of the tree`);
}

function malformed(message: string): VerificationError {
  return new VerificationError("malformed_proof", message);
}
