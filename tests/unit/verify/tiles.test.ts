import { describe, expect, test } from "vitest";
import { nodeAlgorithms } from "../../../src/node_algorithms.js";
import { checkTiles, type TileDefect, tilePath, webCrypto } from "../../../src/verify/index.js";
import { treeOf } from "./reference_tree.js";

const tree = treeOf(66_000);

/** A tree in tiles, as files would hold it. */
function filesOf(size: number): Map<string, Uint8Array> {
  return new Map(tree.tiles(size).map((tile) => [tilePath(tile), tree.tile(tile)]));
}

async function check(
  size: number,
  files: Map<string, Uint8Array>,
  { root = tree.root(size), algorithms = nodeAlgorithms } = {},
): Promise<TileDefect[]> {
  const defects: TileDefect[] = [];
  const read = async (tile: Parameters<typeof tilePath>[0]) => files.get(tilePath(tile));
  for await (const defect of checkTiles({ size, root, read }, algorithms)) defects.push(defect);
  return defects;
}

function flip(files: Map<string, Uint8Array>, path: string, byte: number): void {
  const bytes = Buffer.from(files.get(path) as Uint8Array);
  bytes[byte] = (bytes[byte] as number) ^ 1;
  files.set(path, bytes);
}

describe("checkTiles", () => {
  test.each([0, 1, 2, 3, 100, 255, 256, 257, 511, 512, 513, 1000, 65_535, 65_536, 65_537, 66_000])(
    "has nothing to say about a tree of %i",
    async (size) => {
      expect(await check(size, filesOf(size))).toEqual([]);
    },
  );

  test("works with Web Crypto too", async () => {
    const options = { algorithms: webCrypto };
    expect(await check(600, filesOf(600), options)).toEqual([]);
    expect(await check(600, filesOf(600), { ...options, root: tree.root(601) })).toHaveLength(1);
  });

  test("tells how far it is", async () => {
    const told: number[] = [];
    const files = filesOf(600);
    const read = async (tile: Parameters<typeof tilePath>[0]) => files.get(tilePath(tile));
    const target = { size: 600, root: tree.root(600), read };
    for await (const _ of checkTiles(target, nodeAlgorithms, (leaves) => told.push(leaves)));
    expect(told).toEqual([256, 512, 600]);
  });

  test("names the root that does not fit", async () => {
    expect(await check(600, filesOf(600), { root: tree.root(599) })).toMatchObject([
      { defect: "root mismatch", path: "" },
    ]);
    expect(await check(0, filesOf(0), { root: tree.root(1) })).toMatchObject([
      { defect: "root mismatch" },
    ]);
  });

  test("names a full tile in which one bit is flipped, and only that", async () => {
    for (const path of ["tile/0/000", "tile/0/255"]) {
      const files = filesOf(66_000);
      flip(files, path, 8191);
      expect(await check(66_000, files)).toMatchObject([{ defect: "tiles disagree", path }]);
    }
  });

  test("names a tile of a higher level by what disagrees with it below and above", async () => {
    const files = filesOf(66_000);
    flip(files, "tile/1/000", 32 * 5);
    expect(await check(66_000, files)).toMatchObject([
      { defect: "tiles disagree", path: "tile/0/005" },
      { defect: "tiles disagree", path: "tile/1/000" },
    ]);
  });

  test.each(["tile/0/257.p/208", "tile/1/001.p/1", "tile/2/000.p/1"])(
    "finds a bit flipped in the partial tile %s",
    async (path) => {
      const files = filesOf(66_000);
      flip(files, path, 0);
      expect((await check(66_000, files)).at(-1)).toMatchObject({ defect: "root mismatch" });
    },
  );

  test.each(["tile/0/000", "tile/0/257.p/208", "tile/1/000", "tile/2/000.p/1"])(
    "names %s when it is missing or cut off",
    async (path) => {
      const files = filesOf(66_000);
      const whole = files.get(path) as Uint8Array;
      files.delete(path);
      expect(await check(66_000, files)).toMatchObject([{ defect: "tile missing", path }]);
      for (const length of [0, whole.length - 1]) {
        files.set(path, whole.subarray(0, length));
        const defects = await check(66_000, files);
        expect(defects).toContainEqual(
          expect.objectContaining({ defect: "tile of wrong length", path }),
        );
      }
    },
  );

  test("finds tiles that are swapped", async () => {
    const files = filesOf(66_000);
    const [first, second] = ["tile/0/003", "tile/0/004"];
    const kept = files.get(first) as Uint8Array;
    files.set(first, files.get(second) as Uint8Array).set(second, kept);
    expect(await check(66_000, files)).toMatchObject([{ path: first }, { path: second }]);
  });
});
