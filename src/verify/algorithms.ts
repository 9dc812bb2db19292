import { concat } from "./bytes.js";

/** The two primitives that everything here is made of. */
export interface Algorithms {
  /** 32 bytes. */
  sha256(data: Uint8Array): Uint8Array | Promise<Uint8Array>;
  /** Whether the 64 bytes `signature` are that of the 32 bytes `publicKey` on `message` (RFC 8032). */
  verifyEd25519(
    publicKey: Uint8Array,
    message: Uint8Array,
    signature: Uint8Array,
  ): boolean | Promise<boolean>;
}

/**
 * Web Crypto, which Node, Deno, Bun and browsers have; the default everywhere. Whoever hashes
 * millions of leaves hands in something synchronous instead: each of its calls is cheaper.
 */
export const webCrypto: Algorithms = {
  async sha256(data) {
    return new Uint8Array(await crypto.subtle.digest("SHA-256", concat(data)));
  },
  async verifyEd25519(publicKey, message, signature) {
    const key = await crypto.subtle.importKey("raw", concat(publicKey), "Ed25519", false, [
      "verify",
    ]);
    return crypto.subtle.verify("Ed25519", key, concat(signature), concat(message));
  },
};
