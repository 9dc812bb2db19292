/**
 * Signs checkpoints, outside the database: whoever rules the database does not have the key, and
 * the signer signs only what continues what it signed before.
 */
import { createPrivateKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { UserError } from "../errors/user_error.js";
import {
  type Checkpoint,
  formatNote,
  isKeyName,
  KeyType,
  keyId,
  parseCheckpoint,
  parseKey,
  parseNote,
  VerificationError,
  verifyConsistency,
  verifySignedCheckpoint,
} from "../verify/index.js";
import { nodeAlgorithms } from "./node_algorithms.js";

/** An Ed25519 key that signs notes. */
export interface SigningKey {
  /** Its name: the origin of the log that it signs for. */
  name: string;
  /** 8 hexadecimal digits. */
  id: string;
  /** The public key, as verifiers want it. */
  vkey: string;
  privateKey: KeyObject;
}

/** What PKCS #8 puts before the 32 bytes of an Ed25519 seed (RFC 8410). */
const PKCS8_PREFIX = Buffer.from("302e020100300506032b657004220420", "hex");
const SEED_SIZE = 32;
const ED25519 = Buffer.of(KeyType.ed25519);

/**
 * Makes a key for the log `name`, in the form of Go's sumdb/note: a secret skey and its public vkey.
 *
 * Raises UserError when the name is empty or has white space or a plus.
 */
export async function generateSigningKey(name: string): Promise<{ skey: string; vkey: string }> {
  const { privateKey } = generateKeyPairSync("ed25519");
  const seed = privateKey.export({ format: "der", type: "pkcs8" }).subarray(PKCS8_PREFIX.length);
  const { vkey, id } = await signingKey(name, seed);
  return { skey: `PRIVATE+KEY+${name}+${id}+${encode(seed)}`, vkey };
}

/**
 * Reads an skey: `PRIVATE+KEY+<name>+<8 digits>+<base64>`.
 *
 * Raises UserError, which never tells the key.
 */
export async function parseSigningKey(skey: string): Promise<SigningKey> {
  const pattern = /^PRIVATE\+KEY\+([^+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]+=*)\s*$/;
  const [, name = "", id = "", encoded = ""] = pattern.exec(skey) ?? [];
  const bytes = Buffer.from(encoded, "base64");
  const hint = "Make one with: pgtrail checkpoint keygen --name ORIGIN";
  if (bytes.length !== 1 + SEED_SIZE || bytes[0] !== KeyType.ed25519) {
    throw new UserError("the signing key is not one that starts with PRIVATE+KEY+", { hint });
  }
  const key = await signingKey(name, bytes.subarray(1));
  if (key.id !== id) {
    throw new UserError(`the signing key of ${name} is damaged: its digits do not fit`, { hint });
  }
  return key;
}

async function signingKey(name: string, seed: Uint8Array): Promise<SigningKey> {
  if (!isKeyName(name)) {
    throw new UserError(`"${name}" cannot name a log: no white space and no plus`, {
      hint: "An address without https:// is usual, such as example.org/audit.",
      exitCode: 2,
    });
  }
  const der = Buffer.concat([PKCS8_PREFIX, seed]);
  const privateKey = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  const { x = "" } = privateKey.export({ format: "jwk" });
  const publicKey = Buffer.from(x, "base64url");
  const id = await keyId(name, KeyType.ed25519, publicKey, nodeAlgorithms);
  return { name, id, vkey: `${name}+${id}+${encode(publicKey)}`, privateKey };
}

function encode(key: Uint8Array): string {
  return Buffer.concat([ED25519, key]).toString("base64");
}

/** Why a checkpoint is not signed. */
export type RefusalCode =
  /** It has another origin than the last one that was signed. */
  | "origin_changed"
  /** It has fewer leaves than the last one that was signed. */
  | "size_went_back"
  /** The last one that was signed is not its beginning: history was changed. */
  | "not_consistent"
  /** The database does not prove that it is. */
  | "no_proof"
  /** What was signed last cannot be read, or was not signed by this key. */
  | "last_not_verified";

/** A checkpoint must not be signed: the log is not what it was. Somebody has to look at that. */
export class SigningRefused extends Error {
  override readonly name = "SigningRefused";
  readonly code: RefusalCode;

  constructor(code: RefusalCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** What is asked of the signer. */
export interface SigningRequest {
  /** The checkpoint to be signed. */
  body: string;
  key: SigningKey;
  /** The note that was signed last; undefined when nothing was yet. */
  last: string | undefined;
  /** A log under another origin than that of `last` may be trusted as it is. */
  newOrigin: boolean;
  /** Asks the database for the consistency proof between two sizes. */
  fetchProof(fromSize: number, toSize: number): Promise<Uint8Array[]>;
}

/** A signed checkpoint. */
export interface Signed {
  checkpoint: Checkpoint;
  note: string;
  /** Nothing was signed under this origin before: the log was trusted as it is. */
  isFirst: boolean;
}

/**
 * Signs a checkpoint when it continues the last one that was signed, and verifies itself that it
 * does. A checkpoint of the same size is `last` again, with all signatures that it has.
 *
 * Raises SigningRefused when it does not continue it, VerificationError when the body is no
 * checkpoint, and UserError when the key is of another log.
 */
export async function signContinuation(request: SigningRequest): Promise<Signed> {
  const { body, key, newOrigin, fetchProof } = request;
  const checkpoint = parseCheckpoint(body);
  const last = request.last === undefined ? undefined : readLast(request.last);

  const isSameLog = last?.origin === checkpoint.origin;
  if (last && !isSameLog && !newOrigin) {
    throw new SigningRefused(
      "origin_changed",
      `the log calls itself ${checkpoint.origin} now; ${last.origin} was signed last`,
    );
  }
  if (key.name !== checkpoint.origin) {
    throw new UserError(`the key is of ${key.name}, the log calls itself ${checkpoint.origin}`, {
      hint: `Make its key with: pgtrail checkpoint keygen --name ${checkpoint.origin}`,
    });
  }
  if (!last || !isSameLog) {
    return { checkpoint, note: signNote(body, key), isFirst: true };
  }
  await expectOwn(last.note, key);
  await expectContinuation(last, checkpoint, fetchProof);
  const note = last.size === checkpoint.size ? last.note : signNote(body, key);
  return { checkpoint, note, isFirst: false };
}

function signNote(text: string, { name, id, privateKey }: SigningKey): string {
  const signature = sign(null, Buffer.from(text), privateKey);
  return formatNote({ text, signatures: [{ name, keyId: id, signature }] });
}

function readLast(note: string): Checkpoint & { note: string } {
  try {
    return { ...parseCheckpoint(parseNote(note).text), note };
  } catch (error) {
    throw notVerified(error);
  }
}

async function expectOwn(note: string, { vkey }: SigningKey): Promise<void> {
  try {
    const key = await parseKey(vkey, nodeAlgorithms);
    await verifySignedCheckpoint(note, { key }, nodeAlgorithms);
  } catch (error) {
    throw notVerified(error);
  }
}

function notVerified(error: unknown): unknown {
  if (!(error instanceof VerificationError)) return error;
  const message = `what was signed last cannot be relied on: ${error.message}`;
  return new SigningRefused("last_not_verified", message, { cause: error });
}

async function expectContinuation(
  last: Checkpoint,
  next: Checkpoint,
  fetchProof: SigningRequest["fetchProof"],
): Promise<void> {
  if (next.size < last.size) {
    throw new SigningRefused(
      "size_went_back",
      `the log has ${next.size} entries; ${last.size} were signed before`,
    );
  }
  const needsProof = last.size > 0 && next.size > last.size;
  const hashes = needsProof ? await proofOf(fetchProof(last.size, next.size)) : [];
  const roots = { fromRoot: last.root, toRoot: next.root };
  try {
    await verifyConsistency(
      { fromSize: last.size, toSize: next.size, ...roots, hashes },
      nodeAlgorithms,
    );
  } catch (cause) {
    if (!(cause instanceof VerificationError)) throw cause;
    throw new SigningRefused(
      "not_consistent",
      `the ${last.size} entries that were signed before are not the beginning of this log: ${cause.message}`,
      { cause },
    );
  }
}

async function proofOf(fetched: Promise<Uint8Array[]>): Promise<Uint8Array[]> {
  try {
    return await fetched;
  } catch (cause) {
    const { message } = cause as Error;
    throw new SigningRefused("no_proof", `the database proves nothing: ${message}`, { cause });
  }
}
