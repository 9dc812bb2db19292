import { generateKeyPairSync, sign } from "node:crypto";
import { formatNote, KeyType, keyId, type NoteKey, parseNote } from "../../../src/verify/index.js";

/** Somebody who cosigns checkpoints (c2sp.org/tlog-cosignature). */
export interface Witness {
  key: NoteKey;
  vkey: string;
  /** Adds a cosignature to a note. */
  cosign(note: string, time: Date): string;
}

export async function makeWitness(name: string): Promise<Witness> {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const bytes = Buffer.from(publicKey.export({ format: "jwk" }).x ?? "", "base64url");
  const id = await keyId(name, KeyType.cosignature, bytes);
  const encoded = Buffer.concat([Buffer.of(KeyType.cosignature), bytes]).toString("base64");
  return {
    key: { name, id, type: KeyType.cosignature, publicKey: bytes },
    vkey: `${name}+${id}+${encoded}`,
    cosign(note, time) {
      const { text, signatures } = parseNote(note);
      const seconds = BigInt(Math.floor(time.getTime() / 1000));
      const stamp = Buffer.alloc(8);
      stamp.writeBigUInt64BE(seconds);
      const message = `cosignature/v1\ntime ${seconds}\n${text}`;
      const signature = Buffer.concat([stamp, sign(null, Buffer.from(message), privateKey)]);
      return formatNote({ text, signatures: [...signatures, { name, keyId: id, signature }] });
    },
  };
}
