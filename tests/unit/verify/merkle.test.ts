import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { nodeAlgorithms } from "../../../src/node_algorithms.js";
import {
  emptyRoot,
  leafHash,
  nodeHash,
  rootFromInclusion,
  type VerificationCode,
  verifyConsistency,
  verifyInclusion,
  webCrypto,
} from "../../../src/verify/index.js";
import { flippedBits, ReferenceTree, treeOf } from "./reference_tree.js";

const SMALL = 300;
const LARGE = 70_000;
const small = treeOf(SMALL);
const large = treeOf(LARGE);

/** Sizes where the shape of a tree changes: around powers of two and around full tiles. */
const edges = fc
  .oneof(
    fc.integer({ min: 1, max: 16 }).map((k) => 2 ** k),
    fc.integer({ min: 1, max: 273 }).map((k) => 256 * k),
  )
  .chain((edge) => fc.integer({ min: Math.max(1, edge - 2), max: Math.min(LARGE, edge + 2) }));

function inclusionOf(tree: ReferenceTree, index: number, size: number) {
  const hashes = tree.inclusion(index, size);
  return { index, size, leaf: tree.leaf(index), hashes, root: tree.root(size) };
}

function consistencyOf(tree: ReferenceTree, fromSize: number, toSize: number) {
  return {
    fromSize,
    toSize,
    fromRoot: tree.root(fromSize),
    toRoot: tree.root(toSize),
    hashes: tree.consistency(fromSize, toSize),
  };
}

async function refused(verification: Promise<unknown>, ...codes: VerificationCode[]) {
  const error = await verification.then(
    () => new Error("it was accepted"),
    (reason) => reason,
  );
  expect(error).toMatchObject({ name: "VerificationError" });
  expect(codes).toContain(error.code);
}

/** Other arrays of hashes: one bit flipped, one hash less, one more, two swapped. */
function* damaged(hashes: readonly Uint8Array[]): Generator<Uint8Array[]> {
  for (const [i, hash] of hashes.entries()) {
    for (const flipped of flippedBits(hash)) yield hashes.with(i, flipped);
    yield hashes.toSpliced(i, 1);
    yield hashes.toSpliced(i, 0, hash);
    if (i > 0) yield hashes.with(i, hashes[i - 1] as Uint8Array).with(i - 1, hash);
  }
  yield [...hashes, new Uint8Array(32)];
}

describe.each([
  ["Web Crypto", webCrypto],
  ["node:crypto", nodeAlgorithms],
])("hashes by %s", (_, algorithms) => {
  /** Leaves and roots of certificate-transparency's merkletree tests, for sizes 0 to 8. */
  const leaves = [
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
  ].map((text) => Buffer.from(text, "hex"));
  const roots = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
  ];

  test("are those of RFC 6962", async () => {
    const tree = new ReferenceTree(leaves);
    expect(Buffer.from(await emptyRoot(algorithms)).toString("hex")).toBe(roots[0]);
    for (const [i, leaf] of leaves.entries()) {
      expect(Buffer.from(await leafHash(leaf, algorithms))).toEqual(tree.leaf(i));
      expect(tree.root(i + 1).toString("hex")).toBe(roots[i + 1]);
    }
    const pair = await nodeHash(tree.leaf(0), tree.leaf(1), algorithms);
    expect(Buffer.from(pair).toString("hex")).toBe(roots[2]);
  });

  test("make the proofs of certificate-transparency", async () => {
    const hex = (texts: string[]) => texts.map((text) => Buffer.from(text, "hex"));
    const tree = new ReferenceTree(leaves);
    const path = hex([
      "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
      "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
      "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]);
    expect(tree.inclusion(5, 8)).toEqual(path);
    await verifyInclusion(inclusionOf(tree, 5, 8), algorithms);
    const proof = hex([
      "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
      "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
      "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]);
    expect(tree.consistency(6, 8)).toEqual(proof);
    await verifyConsistency(consistencyOf(tree, 6, 8), algorithms);
  });
});

describe("verifyInclusion", () => {
  test("accepts every leaf of every tree of up to 300", async () => {
    for (let size = 1; size <= SMALL; size++) {
      for (let index = 0; index < size; index++) {
        await verifyInclusion(inclusionOf(small, index, size), nodeAlgorithms);
      }
    }
  });

  test("accepts leaves of larger trees", async () => {
    const leaves = edges.chain((size) => fc.tuple(fc.nat(size - 1), fc.constant(size)));
    await fc.assert(
      fc.asyncProperty(leaves, async ([index, size]) => {
        await verifyInclusion(inclusionOf(large, index, size));
      }),
      { numRuns: 500 },
    );
  });

  test.each([
    [0, 2],
    [4, 5],
    [5, 8],
    [76, 77],
    [299, 300],
  ])("refuses leaf %i of %i with any bit flipped", async (index, size) => {
    const proof = inclusionOf(small, index, size);
    for (const hashes of damaged(proof.hashes)) {
      await refused(
        verifyInclusion({ ...proof, hashes }, nodeAlgorithms),
        "wrong_root",
        "malformed_proof",
      );
    }
    for (const leaf of flippedBits(proof.leaf)) {
      await refused(verifyInclusion({ ...proof, leaf }, nodeAlgorithms), "wrong_root");
    }
    for (const root of flippedBits(proof.root)) {
      await refused(verifyInclusion({ ...proof, root }, nodeAlgorithms), "wrong_root");
    }
  });

  test("refuses a proof at any other position or size", async () => {
    for (const [index, size] of [
      [5, 8],
      [76, 77],
      [130, 300],
    ] as const) {
      const proof = inclusionOf(small, index, size);
      for (let other = 0; other < SMALL; other++) {
        if (other !== index) {
          const moved = verifyInclusion({ ...proof, index: other }, nodeAlgorithms);
          await refused(moved, "wrong_root", "malformed_proof");
        }
        if (other !== size) {
          const root = small.root(other);
          const resized = verifyInclusion({ ...proof, size: other, root }, nodeAlgorithms);
          await refused(resized, "wrong_root", "malformed_proof");
        }
      }
    }
  });

  test.each([
    ["no leaf of the tree", { index: 8 }],
    ["a negative index", { index: -1 }],
    ["half an index", { index: 0.5 }],
    ["no tree", { size: 0 }],
    ["a negative size", { size: -8 }],
    ["a size beyond 2^53", { size: 2 ** 53 }],
    ["a size that is no number", { size: Number.NaN }],
    ["a short leaf", { leaf: new Uint8Array(31) }],
    ["a long hash", { hashes: Array.from({ length: 3 }, () => new Uint8Array(33)) }],
    ["no hashes", { hashes: [] }],
  ])("refuses %s", async (_, part) => {
    await refused(rootFromInclusion({ ...inclusionOf(small, 5, 8), ...part }), "malformed_proof");
  });

  test("refuses a hash too many, although it leads to the root", async () => {
    const { hashes, root, ...proof } = inclusionOf(small, 5, 8);
    const more = small.leaf(9);
    const above = Buffer.from(await nodeHash(more, root));
    const verification = verifyInclusion({ ...proof, hashes: [...hashes, more], root: above });
    await refused(verification, "malformed_proof");
  });

  test("counts beyond 2^32", async () => {
    // The last leaf of a tree of 2^40 + 1 is the right child of its root.
    const proof = {
      index: 2 ** 40,
      size: 2 ** 40 + 1,
      leaf: small.leaf(0),
      hashes: [small.leaf(1)],
    };
    expect(await rootFromInclusion(proof)).toEqual(await nodeHash(small.leaf(1), small.leaf(0)));
    await refused(rootFromInclusion({ ...proof, index: 0 }), "malformed_proof");
  });
});

describe("verifyConsistency", () => {
  test("accepts every two trees of up to 300", async () => {
    for (let to = 0; to <= SMALL; to++) {
      for (let from = 0; from <= to; from++) {
        await verifyConsistency(consistencyOf(small, from, to), nodeAlgorithms);
      }
    }
  });

  test("accepts larger trees", async () => {
    await fc.assert(
      fc.asyncProperty(edges, edges, async (a, b) => {
        await verifyConsistency(consistencyOf(large, Math.min(a, b), Math.max(a, b)));
      }),
      { numRuns: 500 },
    );
  });

  test.each([
    [0, 0],
    [0, 7],
    [1, 2],
    [4, 8],
    [6, 8],
    [7, 7],
    [256, 300],
    [257, 299],
  ])("refuses %i to %i with any bit flipped", async (from, to) => {
    const proof = consistencyOf(small, from, to);
    for (const hashes of damaged(proof.hashes)) {
      const verification = verifyConsistency({ ...proof, hashes }, nodeAlgorithms);
      await refused(verification, "wrong_root", "malformed_proof");
    }
    for (const fromRoot of flippedBits(proof.fromRoot)) {
      await refused(verifyConsistency({ ...proof, fromRoot }, nodeAlgorithms), "wrong_root");
    }
    // The empty tree is the beginning of any other.
    if (from === 0 && to > 0) return;
    for (const toRoot of flippedBits(proof.toRoot)) {
      await refused(verifyConsistency({ ...proof, toRoot }, nodeAlgorithms), "wrong_root");
    }
  });

  test("refuses a proof for any other size", async () => {
    const proof = consistencyOf(small, 76, 133);
    for (let other = 1; other <= SMALL; other++) {
      const root = small.root(other);
      const sizes = [
        ...(other === 76 ? [] : [{ fromSize: other, fromRoot: root }]),
        ...(other === 133 ? [] : [{ toSize: other, toRoot: root }]),
      ];
      for (const size of sizes) {
        const verification = verifyConsistency({ ...proof, ...size }, nodeAlgorithms);
        await refused(verification, "wrong_root", "malformed_proof");
      }
    }
  });

  test("refuses a history in which an entry was changed", async () => {
    const entries = Array.from({ length: 50 }, (_, i) => Buffer.from(`entry ${i}`));
    const other = new ReferenceTree(entries.with(3, Buffer.from("rewritten")));
    const hashes = other.consistency(20, 50);
    const proof = { ...consistencyOf(small, 20, 50), toRoot: other.root(50), hashes };
    await refused(verifyConsistency(proof), "wrong_root");
  });

  test.each([
    ["sizes that go backwards", { fromSize: 9 }],
    ["a size that is none", { toSize: 8.5 }],
    ["a short root", { fromRoot: new Uint8Array(31) }],
    ["a long root", { toRoot: new Uint8Array(33) }],
    ["a short hash", { hashes: [new Uint8Array(31)] }],
    ["no hashes", { hashes: [] }],
    ["hashes from an empty tree", { fromSize: 0, fromRoot: small.root(0) }],
  ])("refuses %s", async (_, part) => {
    const proof = { ...consistencyOf(small, 6, 8), ...part };
    await refused(verifyConsistency(proof), "malformed_proof");
  });

  test("refuses a hash too many or too few, although they lead to the roots", async () => {
    const { hashes, fromRoot, toRoot, ...sizes } = consistencyOf(small, 3, 4);
    const more = small.leaf(9);
    const above = {
      fromRoot: await nodeHash(more, fromRoot),
      toRoot: await nodeHash(more, toRoot),
      hashes: [...hashes, more],
    };
    await refused(verifyConsistency({ ...sizes, ...above }), "malformed_proof");
    const smaller = { ...sizes, toSize: 8, fromRoot, toRoot, hashes };
    await refused(verifyConsistency(smaller), "malformed_proof");
  });

  test("refuses a larger tree as the beginning of a smaller one, although they share a root", async () => {
    const root = small.root(8);
    const proof = { fromSize: 16, fromRoot: root, toSize: 8, toRoot: root, hashes: [] };
    await refused(verifyConsistency(proof), "malformed_proof");
  });
});
