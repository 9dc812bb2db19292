import { createHash } from "node:crypto";
import { TILE_WIDTH, type Tile, tileLevels } from "../../../src/verify/index.js";

/**
 * A Merkle tree as RFC 6962 defines it, word for word: what the verifiers are held against. Takes
 * nothing from them but which tiles a size has.
 */
export class ReferenceTree {
  readonly #leaves: readonly Buffer[];
  /** Hashes of the ranges that were asked for. */
  readonly #known = new Map<string, Buffer>();

  constructor(entries: readonly Uint8Array[]) {
    this.#leaves = entries.map((entry) => sha256(Buffer.of(0), entry));
  }

  leaf(index: number): Buffer {
    return this.#leaves[index] as Buffer;
  }

  /** MTH(D[from:to]), section 2.1. */
  root(to: number, from = 0): Buffer {
    const length = to - from;
    if (length === 0) return sha256();
    if (length === 1) return this.leaf(from);
    const key = `${from}-${to}`;
    const known = this.#known.get(key);
    if (known) return known;
    const middle = from + split(length);
    const hash = sha256(Buffer.of(1), this.root(middle, from), this.root(to, middle));
    this.#known.set(key, hash);
    return hash;
  }

  /** PATH(index, D[from:to]), section 2.1.1. */
  inclusion(index: number, to: number, from = 0): Buffer[] {
    if (to - from <= 1) return [];
    const middle = from + split(to - from);
    return index < middle
      ? [...this.inclusion(index, middle, from), this.root(to, middle)]
      : [...this.inclusion(index, to, middle), this.root(middle, from)];
  }

  /** PROOF(size, D[0:to]), section 2.1.2; empty for size 0. */
  consistency(size: number, to: number): Buffer[] {
    return size === 0 ? [] : this.#subproof(size, 0, to, true);
  }

  #subproof(size: number, from: number, to: number, isWhole: boolean): Buffer[] {
    if (size === to - from) return isWhole ? [] : [this.root(to, from)];
    const left = split(to - from);
    const middle = from + left;
    return size <= left
      ? [...this.#subproof(size, from, middle, isWhole), this.root(to, middle)]
      : [...this.#subproof(size - left, middle, to, false), this.root(middle, from)];
  }

  /** Bytes of a tile (c2sp.org/tlog-tiles). */
  tile({ level, index, width }: Tile): Buffer {
    const leaves = TILE_WIDTH ** level;
    const start = index * TILE_WIDTH;
    return Buffer.concat(
      Array.from({ length: width }, (_, i) =>
        this.root((start + i + 1) * leaves, (start + i) * leaves),
      ),
    );
  }

  /** All tiles of the tree of a size. */
  tiles(size: number): Tile[] {
    return tileLevels(size).flatMap(({ level, full, partial }) => [
      ...Array.from({ length: full }, (_, index) => ({ level, index, width: TILE_WIDTH })),
      ...(partial > 0 ? [{ level, index: full, width: partial }] : []),
    ]);
  }
}

/** The tree of as many entries that are all different. */
export function treeOf(size: number): ReferenceTree {
  return new ReferenceTree(Array.from({ length: size }, (_, i) => Buffer.from(`entry ${i}`)));
}

export function sha256(...parts: readonly Uint8Array[]): Buffer {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest();
}

/** The largest power of two below a length. */
function split(length: number): number {
  return 2 ** Math.ceil(Math.log2(length) - 1);
}

/** Byte strings that each differ from `bytes` in one bit. */
export function* flippedBits(bytes: Uint8Array): Generator<Buffer> {
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const flipped = Buffer.from(bytes);
    flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
    yield flipped;
  }
}
