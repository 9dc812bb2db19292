import { createHash, createPublicKey, type KeyObject, verify } from "node:crypto";
import type { Algorithms } from "../verify/index.js";

/** Web Crypto's Ed25519 still warns in Node 20, and its hashes cost a thread switch each. */
export const nodeAlgorithms: Algorithms = {
  sha256: (data) => createHash("sha256").update(data).digest(),
  verifyEd25519: (publicKey, message, signature) =>
    verify(null, message, keyObject(publicKey), signature),
};

/** What SPKI puts before the 32 bytes of an Ed25519 key (RFC 8410). */
const SPKI_PREFIX = Buffer.from("302a300506032b6570032100", "hex");

function keyObject(publicKey: Uint8Array): KeyObject {
  const der = Buffer.concat([SPKI_PREFIX, publicKey]);
  return createPublicKey({ key: der, format: "der", type: "spki" });
}
