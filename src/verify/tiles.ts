import { type Algorithms, webCrypto } from "./algorithms.js";
import { equal, fromDecimal, hex } from "./bytes.js";
import { VerificationError } from "./error.js";
import { emptyRoot, HASH_SIZE, nodeHash, perfectRoot } from "./merkle.js";

/** Hashes of a full tile. */
export const TILE_WIDTH = 256;

/** Hashes side by side on one level of a tree (c2sp.org/tlog-tiles). */
export interface Tile {
  /** 0 holds the leaves; a hash of each higher level is the root of a full tile of the one below. */
  level: number;
  /** Position among the tiles of its level, from 0. */
  index: number;
  /** Hashes in it: 256, or fewer at the end of a level. */
  width: number;
}

/** Where a tile lies in a tree of static files: `tile/<level>/<index>` or with `.p/<width>`. */
export function tilePath({ level, index, width }: Tile): string {
  const digits = String(index);
  const groups = digits.padStart(Math.ceil(digits.length / 3) * 3, "0").match(/.../g) ?? [];
  const path = groups.map((group, i) => (i < groups.length - 1 ? `x${group}` : group)).join("/");
  return `tile/${level}/${path}${width < TILE_WIDTH ? `.p/${width}` : ""}`;
}

/**
 * Which tile lies at a path.
 *
 * Raises VerificationError `malformed_tile_path` unless the path is exactly what tilePath() writes.
 */
export function parseTilePath(path: string): Tile {
  const pattern = /^tile\/(\d+)\/((?:x\d{3}\/)*\d{3})(?:\.p\/(\d+))?$/;
  const [, level = "", groups = "", width] = pattern.exec(path) ?? [];
  const tile = {
    level: fromDecimal(level) ?? Number.NaN,
    index: Number(groups.replace(/[x/]/g, "") || Number.NaN),
    width: width === undefined ? TILE_WIDTH : Number(width),
  };
  if (tile.level <= 63 && Number.isSafeInteger(tile.index) && tile.width > 0) {
    if (tilePath(tile) === path) return tile;
  }
  throw new VerificationError("malformed_tile_path", `there is no tile at ${path}`);
}

/** The tiles of one level of a tree. */
export interface TileLevel {
  level: number;
  /** Full tiles. */
  full: number;
  /** Hashes in the tile after them; 0 when there is none. */
  partial: number;
}

/** Which tiles a tree has, from the leaves upwards. */
export function tileLevels(size: number): TileLevel[] {
  const levels: TileLevel[] = [];
  for (let hashes = size; hashes > 0; hashes = Math.floor(hashes / TILE_WIDTH)) {
    const full = Math.floor(hashes / TILE_WIDTH);
    levels.push({ level: levels.length, full, partial: hashes % TILE_WIDTH });
  }
  return levels;
}

/** A tree in tiles, and the root that it is said to have. */
export interface TileTree {
  size: number;
  root: Uint8Array;
  /** The bytes of a tile, undefined when there is none. */
  read(tile: Tile): Promise<Uint8Array | undefined>;
}

/** What is wrong with a tree in tiles. */
export interface TileDefect {
  defect: "tile missing" | "tile of wrong length" | "tiles disagree" | "root mismatch";
  /** Path of the tile; that of the lower one where two disagree; empty for the root. */
  path: string;
  detail: string;
}

/**
 * Recomputes a tree from its tiles, level by level, and yields whatever does not fit; nothing when
 * the tiles are those of the root. Holds a few tiles at a time, however large the tree.
 *
 * @param onLeaves told how many leaves were read, after each tile of leaves
 */
export async function* checkTiles(
  { size, root, read }: TileTree,
  algorithms: Algorithms = webCrypto,
  onLeaves: (read: number) => void = () => {},
): AsyncGenerator<TileDefect> {
  const levels = tileLevels(size);
  const widthAt = (level: number, index: number) =>
    index < (levels[level]?.full ?? 0) ? TILE_WIDTH : (levels[level]?.partial ?? 0);

  /** The partial tiles, from the leaves upwards: together they are the right edge of the tree. */
  const edge: Uint8Array[] = [];
  for (const { level, full, partial } of levels) {
    let parent: Uint8Array | undefined;
    for (let index = 0; index < full + Math.sign(partial); index++) {
      const tile = { level, index, width: widthAt(level, index) };
      const hashes = await read(tile);
      if (level === 0) onLeaves(index * TILE_WIDTH + tile.width);
      // Of a level whose parent tile is damaged itself, that is told when its own turn comes.
      const above = { level: level + 1, index: Math.floor(index / TILE_WIDTH) };
      const slot = index % TILE_WIDTH;
      if (slot === 0 && index < full) {
        parent = await read({ ...above, width: widthAt(above.level, above.index) });
      }
      if (hashes?.length !== tile.width * HASH_SIZE) {
        yield damaged(tile, hashes);
      } else if (index === full) {
        edge.push(hashes);
      } else {
        const computed = await perfectRoot(hashes, algorithms);
        const stored = parent?.subarray(slot * HASH_SIZE, (slot + 1) * HASH_SIZE);
        if (stored?.length === HASH_SIZE && !equal(computed, stored)) {
          const parentPath = tilePath({ ...above, width: widthAt(above.level, above.index) });
          yield {
            defect: "tiles disagree",
            path: tilePath(tile),
            detail: `it hashes to ${hex(computed)}, ${parentPath} has ${hex(stored)} for it`,
          };
        }
      }
    }
  }

  if (edge.length < levels.filter(({ partial }) => partial > 0).length) return;
  const computed = await edgeRoot(edge, algorithms);
  if (!equal(computed, root)) {
    const detail = `the tiles lead to ${hex(computed)}, the checkpoint has ${hex(root)}`;
    yield { defect: "root mismatch", path: "", detail };
  }
}

function damaged(tile: Tile, hashes: Uint8Array | undefined): TileDefect {
  const path = tilePath(tile);
  const expected = tile.width * HASH_SIZE;
  return hashes
    ? { defect: "tile of wrong length", path, detail: `${hashes.length} bytes, not ${expected}` }
    : { defect: "tile missing", path, detail: `${expected} bytes` };
}

/** Root of a tree from its partial tiles: the perfect subtrees in them, folded from the right. */
async function edgeRoot(edge: readonly Uint8Array[], algorithms: Algorithms): Promise<Uint8Array> {
  let root: Uint8Array | undefined;
  for (const hashes of edge) {
    let end = hashes.length / HASH_SIZE;
    for (let width = 1; end > 0; width *= 2) {
      if (end % (2 * width) === 0) continue;
      const start = end - width;
      const block = hashes.subarray(start * HASH_SIZE, end * HASH_SIZE);
      const subtree = await perfectRoot(block, algorithms);
      root = root ? await nodeHash(subtree, root, algorithms) : subtree;
      end = start;
    }
  }
  return root ?? emptyRoot(algorithms);
}
