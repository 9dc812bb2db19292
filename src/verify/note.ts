import { type Algorithms, webCrypto } from "./algorithms.js";
import { base64, concat, fromBase64, fromHex, hex, utf8 } from "./bytes.js";
import { VerificationError } from "./error.js";

/** A text and the signatures on it (c2sp.org/signed-note). */
export interface Note {
  /** What is signed; it ends in a newline. */
  text: string;
  signatures: readonly NoteSignature[];
}

export interface NoteSignature {
  /** Name of the key, as the line says: nobody vouches for it before verifyNote(). */
  name: string;
  /** Which key of that name: 8 hexadecimal digits. */
  keyId: string;
  /** What the kind of the key makes of it. */
  signature: Uint8Array;
}

/** Kind of key and signature, the byte that stands for it in a key. */
export const KeyType = {
  /** Ed25519 on the text: logs sign so. */
  ed25519: 1,
  /** Ed25519 on the text and a time (c2sp.org/tlog-cosignature): witnesses sign so. */
  cosignature: 4,
} as const;

/** A public key that verifies notes. */
export interface NoteKey {
  name: string;
  /** 8 hexadecimal digits. */
  id: string;
  type: (typeof KeyType)[keyof typeof KeyType];
  /** 32 bytes. */
  publicKey: Uint8Array;
}

/** A signature that is valid. */
export interface VerifiedSignature {
  key: NoteKey;
  /** When the witness saw the checkpoint, by its own clock; only cosignatures have it. */
  time?: Date;
}

const SIGNATURE_LINE = /^— (?<name>[^\s+]+) (?<signature>\S+)$/u;

/**
 * Reads a signed note. Verifies nothing: that is verifyNote().
 *
 * Raises VerificationError `malformed_note`.
 */
export function parseNote(note: string): Note {
  const malformed = (message: string) =>
    new VerificationError("malformed_note", `this is no signed note: ${message}`);

  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
  if (/[\u0000-\u0009\u000b-\u001f]|\p{Surrogate}/u.test(note)) {
    throw malformed("it has control characters or is not Unicode");
  }
  const end = note.lastIndexOf("\n\n");
  if (end < 0) throw malformed("no empty line parts text and signatures");
  if (!note.endsWith("\n")) throw malformed("its last line has no end");
  const lines = note.slice(end + 2, -1).split("\n");
  const signatures = lines.map((line) => {
    const { name = "", signature: encoded = "" } = SIGNATURE_LINE.exec(line)?.groups ?? {};
    const signature = fromBase64(encoded);
    if (name === "" || signature === undefined || signature.length <= ID_SIZE) {
      throw malformed("a line below the empty one is no signature");
    }
    const keyId = hex(signature.subarray(0, ID_SIZE));
    return { name, keyId, signature: signature.subarray(ID_SIZE) };
  });
  return { text: note.slice(0, end + 1), signatures };
}

/** Writes a signed note. */
export function formatNote({ text, signatures }: Note): string {
  const lines = signatures.map(
    ({ name, keyId, signature }) => `— ${name} ${base64(concat(fromHex(keyId), signature))}\n`,
  );
  return `${text}\n${lines.join("")}`;
}

const ID_SIZE = 4;
const PUBLIC_KEY_SIZE = 32;

/** Which key of a name this is. */
export async function keyId(
  name: string,
  type: number,
  publicKey: Uint8Array,
  algorithms: Algorithms = webCrypto,
): Promise<string> {
  const hash = await algorithms.sha256(concat(utf8(`${name}\n`), Uint8Array.of(type), publicKey));
  return hex(hash.subarray(0, ID_SIZE));
}

/** Whether a key may have this name: not empty, no white space, no plus. */
export function isKeyName(name: string): boolean {
  return /^[^\s+\p{Cc}\p{Surrogate}]+$/u.test(name);
}

/**
 * Reads a public key as notes have them: `<name>+<id>+<base64>`, a vkey.
 *
 * Raises VerificationError `malformed_key`, also when the id is that of another key.
 */
export async function parseKey(vkey: string, algorithms: Algorithms = webCrypto): Promise<NoteKey> {
  const malformed = (message: string) =>
    new VerificationError("malformed_key", `this is no key of a note: ${message}`);

  const [, name = "", id = "", encoded = ""] = /^([^+]*)\+([^+]*)\+(.*)$/s.exec(vkey) ?? [];
  if (!isKeyName(name)) throw malformed("it is written <name>+<8 digits>+<base64>");
  const key = fromBase64(encoded);
  if (key?.length !== 1 + PUBLIC_KEY_SIZE) throw malformed("its last part is no Ed25519 key");
  const type = Object.values(KeyType).find((known) => known === key[0]);
  if (type === undefined) throw malformed(`keys of type ${key[0]} are not known here`);
  const publicKey = key.subarray(1);
  if (id !== (await keyId(name, type, publicKey, algorithms))) {
    throw malformed(`its digits, ${id}, are not those of this name and key`);
  }
  return { name, id, type, publicKey };
}

/**
 * Verifies the signatures of these keys on a note, and ignores those of others. Which of them must
 * have signed is for the caller to say.
 *
 * Raises VerificationError `bad_signature` when one of these keys' does not fit the text, and
 * `malformed_note` as parseNote() does.
 */
export async function verifyNote(
  note: string,
  keys: readonly NoteKey[],
  algorithms: Algorithms = webCrypto,
): Promise<{ text: string; signatures: VerifiedSignature[] }> {
  const { text, signatures } = parseNote(note);
  const verified: VerifiedSignature[] = [];
  for (const { name, keyId, signature } of signatures) {
    const key = keys.find((each) => each.name === name && each.id === keyId);
    if (!key) continue;
    const found = await verifySignature(key, text, signature, algorithms);
    if (!found) {
      throw new VerificationError(
        "bad_signature",
        `the signature of ${name} does not fit the text`,
      );
    }
    verified.push(found);
  }
  return { text, signatures: verified };
}

const TIME_SIZE = 8;
const SIGNATURE_SIZE = 64;

async function verifySignature(
  key: NoteKey,
  text: string,
  field: Uint8Array,
  algorithms: Algorithms,
): Promise<VerifiedSignature | undefined> {
  const timeSize = key.type === KeyType.cosignature ? TIME_SIZE : 0;
  if (field.length !== timeSize + SIGNATURE_SIZE) return undefined;
  const signature = field.subarray(timeSize);
  const isValid = (message: string) =>
    algorithms.verifyEd25519(key.publicKey, utf8(message), signature);

  if (key.type === KeyType.ed25519) return (await isValid(text)) ? { key } : undefined;
  const seconds = new DataView(field.buffer, field.byteOffset).getBigUint64(0);
  const valid = await isValid(`cosignature/v1\ntime ${seconds}\n${text}`);
  return valid ? { key, time: new Date(Number(seconds) * 1000) } : undefined;
}
