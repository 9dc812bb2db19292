import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  parseCheckpoint,
  parseTilePath,
  parseTlogProof,
  tileLevels,
  tilePath,
} from "../../../src/verify/index.js";

const hash = Buffer.alloc(32, 7).toString("base64");
const hashes = fc.uint8Array({ minLength: 32, maxLength: 32 });
const sizes = fc.maxSafeNat();

describe("parseCheckpoint", () => {
  test("reads origin, size, root and further lines", () => {
    const lines = fc
      .string({ unit: "grapheme", minLength: 1 })
      .filter((line) => !line.includes("\n"));
    fc.assert(
      fc.property(lines, sizes, hashes, fc.array(lines), (origin, size, root, extensions) => {
        const encoded = Buffer.from(root).toString("base64");
        const body = `${[origin, size, encoded, ...extensions].join("\n")}\n`;
        expect(parseCheckpoint(body)).toEqual({ origin, size, root, extensions });
      }),
    );
  });

  test.each([
    ["nothing", ""],
    ["an unfinished last line", `origin\n1\n${hash}`],
    ["no origin", `\n1\n${hash}\n`],
    ["no root", "origin\n1\n"],
    ["a leading zero", `origin\n01\n${hash}\n`],
    ["a sign", `origin\n+1\n${hash}\n`],
    ["a negative size", `origin\n-1\n${hash}\n`],
    ["a fraction", `origin\n1.0\n${hash}\n`],
    ["an exponent", `origin\n1e3\n${hash}\n`],
    ["a space", `origin\n 1\n${hash}\n`],
    ["a size beyond 2^53", `origin\n9007199254740992\n${hash}\n`],
    ["a carriage return", `origin\r\n1\r\n${hash}\r\n`],
    ["a short root", `origin\n1\n${Buffer.alloc(31).toString("base64")}\n`],
    ["a long root", `origin\n1\n${Buffer.alloc(33).toString("base64")}\n`],
    ["a root without padding", `origin\n1\n${hash.slice(0, -1)}\n`],
    ["a root with bits that stand for nothing", `origin\n1\n${hash.slice(0, -2)}d=\n`],
    ["an empty further line", `origin\n1\n${hash}\n\n`],
    ["an empty line among the further ones", `origin\n1\n${hash}\na\n\nb\n`],
  ])("refuses %s", (_, body) => {
    expect(() => parseCheckpoint(body)).toThrow(
      expect.objectContaining({ code: "malformed_checkpoint" }),
    );
  });
});

describe("parseTlogProof", () => {
  const checkpoint = `origin\n1\n${hash}\n\n— origin AAAAAAAA\n`;

  test("reads extra data, index, hashes and checkpoint", () => {
    const extras = fc.option(fc.uint8Array(), { nil: undefined });
    const paths = fc.array(hashes, { maxLength: 63 });
    fc.assert(
      fc.property(extras, sizes, paths, (extra, index, path) => {
        const lines = [
          "c2sp.org/tlog-proof@v1",
          ...(extra ? [`extra ${Buffer.from(extra).toString("base64")}`] : []),
          `index ${index}`,
          ...path.map((each) => Buffer.from(each).toString("base64")),
        ];
        const proof = parseTlogProof(`${lines.join("\n")}\n\n${checkpoint}`);
        expect(proof).toEqual({ ...(extra && { extra }), index, hashes: path, checkpoint });
      }),
    );
  });

  const first = "c2sp.org/tlog-proof@v1";

  test("reads the 63 hashes of the largest tree", () => {
    const { hashes } = parseTlogProof(
      `${first}\nindex 1\n${`${hash}\n`.repeat(63)}\n${checkpoint}`,
    );
    expect(hashes).toHaveLength(63);
  });

  test.each([
    ["nothing", ""],
    ["no checkpoint", `${first}\nindex 1\n${hash}\n`],
    ["another version", `c2sp.org/tlog-proof@v2\nindex 1\n\n${checkpoint}`],
    ["no index", `${first}\n${hash}\n\n${checkpoint}`],
    ["an index with a leading zero", `${first}\nindex 01\n\n${checkpoint}`],
    ["an index before extra data", `${first}\nindex 1\nextra AAAA\n\n${checkpoint}`],
    ["extra data that are not base64", `${first}\nextra !\nindex 1\n\n${checkpoint}`],
    ["a short hash", `${first}\nindex 1\nAAAA\n\n${checkpoint}`],
    ["64 hashes", `${first}\nindex 1\n${`${hash}\n`.repeat(64)}\n${checkpoint}`],
    ["carriage returns", `${first}\r\nindex 1\r\n\r\n${checkpoint}`],
  ])("refuses %s", (_, text) => {
    expect(() => parseTlogProof(text)).toThrow(
      expect.objectContaining({ code: "malformed_proof" }),
    );
  });
});

describe("tiles", () => {
  test("lie where c2sp.org/tlog-tiles says", () => {
    expect(tilePath({ level: 0, index: 0, width: 256 })).toBe("tile/0/000");
    expect(tilePath({ level: 1, index: 999, width: 256 })).toBe("tile/1/999");
    expect(tilePath({ level: 2, index: 1000, width: 1 })).toBe("tile/2/x001/000.p/1");
    expect(tilePath({ level: 0, index: 1234067, width: 256 })).toBe("tile/0/x001/x234/067");
  });

  test("are found at their paths", () => {
    const tiles = fc.record({
      level: fc.nat(63),
      index: sizes,
      width: fc.integer({ min: 1, max: 256 }),
    });
    fc.assert(
      fc.property(tiles, (tile) => {
        expect(parseTilePath(tilePath(tile))).toEqual(tile);
      }),
    );
  });

  test.each([
    "",
    "tile/0",
    "tile/0/",
    "tile/0/0",
    "tile/0/00",
    "tile/0/0000",
    "tile/00/000",
    "tile/64/000",
    "tile/-1/000",
    "tile/0/x000/000",
    "tile/0/001/000",
    "tile/0/x001/x000",
    "tile/0/000.p/0",
    "tile/0/000.p/256",
    "tile/0/000.p/01",
    "tile/0/000.p/",
    "tile/entries/000",
    "/tile/0/000",
    "tile/0/000/",
    "tile/0/../000",
    "tile/0/x999/x999/x999/x999/x999/999",
  ])("are none at %j", (path) => {
    expect(() => parseTilePath(path)).toThrow(
      expect.objectContaining({ code: "malformed_tile_path" }),
    );
  });

  test("of a size are those of c2sp.org/tlog-tiles", () => {
    expect(tileLevels(0)).toEqual([]);
    expect(tileLevels(256)).toEqual([
      { level: 0, full: 1, partial: 0 },
      { level: 1, full: 0, partial: 1 },
    ]);
    expect(tileLevels(70_000)).toEqual([
      { level: 0, full: 273, partial: 112 },
      { level: 1, full: 1, partial: 17 },
      { level: 2, full: 0, partial: 1 },
    ]);
  });
});
