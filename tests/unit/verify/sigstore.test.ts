/** Our proofs and notes, judged by the verifier of the sigstore project. */
import { createPublicKey, type KeyObject } from "node:crypto";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { generateSigningKey, parseSigningKey, signContinuation } from "../../../src/signer.js";
import { flippedBits, treeOf } from "./reference_tree.js";

interface InclusionProof {
  logIndex: string;
  hashes: Uint8Array[];
  checkpoint: { envelope: string };
}

interface Checkpoint {
  logSize: bigint;
  logHash: Uint8Array;
}

/** The package keeps these to itself: they are found by their files. */
const require = createRequire(import.meta.url);
const directory = join(dirname(require.resolve("@sigstore/verify")), "tlog");
const { verifyMerkleInclusion } = require(join(directory, "merkle.js")) as {
  verifyMerkleInclusion(
    entry: { canonicalizedBody: Uint8Array; inclusionProof: InclusionProof },
    checkpoint: Checkpoint,
  ): void;
};
const { verifyCheckpoint } = require(join(directory, "checkpoint.js")) as {
  verifyCheckpoint(
    entry: { inclusionProof: InclusionProof },
    logs: { logID: Uint8Array; baseURL: string; publicKey: KeyObject }[],
  ): Checkpoint;
};

const tree = treeOf(70_000);
const origin = "example.org/audit";
const { skey } = await generateSigningKey(origin);
const key = await parseSigningKey(skey);
const log = {
  logID: Buffer.from(key.id, "hex"),
  baseURL: origin,
  publicKey: createPublicKey(key.privateKey),
};

async function proofOf(index: number, size: number) {
  const { note } = await signContinuation({
    body: `${origin}\n${size}\n${tree.root(size).toString("base64")}\n`,
    key,
    last: undefined,
    newOrigin: false,
    fetchProof: async () => [],
  });
  return {
    canonicalizedBody: Buffer.from(`entry ${index}`),
    inclusionProof: {
      logIndex: String(index),
      hashes: tree.inclusion(index, size) as Uint8Array[],
      checkpoint: { envelope: note },
    },
  };
}

describe("@sigstore/verify", () => {
  test("accepts our proofs over our signed checkpoints", async () => {
    const leaves = fc
      .integer({ min: 1, max: 70_000 })
      .chain((size) => fc.tuple(fc.nat(size - 1), fc.constant(size)));
    await fc.assert(
      fc.asyncProperty(leaves, async ([index, size]) => {
        const entry = await proofOf(index, size);
        const checkpoint = verifyCheckpoint(entry, [log]);
        expect(checkpoint.logSize).toBe(BigInt(size));
        verifyMerkleInclusion(entry, checkpoint);
      }),
      { numRuns: 300 },
    );
  });

  test("refuses them with a bit flipped", async () => {
    const entry = await proofOf(76, 300);
    const checkpoint = verifyCheckpoint(entry, [log]);
    const { hashes } = entry.inclusionProof;
    for (const [i, hash] of hashes.entries()) {
      for (const flipped of flippedBits(hash)) {
        const inclusionProof = { ...entry.inclusionProof, hashes: hashes.with(i, flipped) };
        expect(() => verifyMerkleInclusion({ ...entry, inclusionProof }, checkpoint)).toThrow();
      }
    }
    const envelope = entry.inclusionProof.checkpoint.envelope.replace("\n300\n", "\n301\n");
    const inclusionProof = { ...entry.inclusionProof, checkpoint: { envelope } };
    expect(() => verifyCheckpoint({ inclusionProof }, [log])).toThrow("signature");
  });
});
