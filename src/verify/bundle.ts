import { type Algorithms, webCrypto } from "./algorithms.js";
import { base64, concat, fromBase64, fromHex, hex, utf8 } from "./bytes.js";
import { VerificationError } from "./error.js";
import { isObject, parseJson } from "./json.js";
import { leafHash, verifyInclusion } from "./merkle.js";
import {
  type SignedCheckpoint,
  type Signers,
  verifySignedCheckpoint,
} from "./signed_checkpoint.js";
import { parseTlogProof } from "./tlog_proof.js";

/** A column of an entry in readable form, as its maker says; verifyBundle() holds it against the entry. */
export interface RenderedColumn {
  /** Its name. The entry holds values only: names are the word of whoever made the bundle. */
  column: string;
  /** Its value as Postgres writes it, times as ISO 8601 with microseconds; null is null. */
  value?: string | null;
  /**
   * Of a column that the entry holds as a commitment: the salt, in hexadecimal, that with the value
   * hashes to it. Empty for one that it holds as a plain digest.
   */
  salt?: string;
  /** Of a column whose value is erased or not disclosed, instead of it: what the entry holds. */
  commitment?: string;
}

/** An entry and everything that it takes to verify it, but the keys. */
export interface ProofBundle {
  /** c2sp.org/tlog-proof@v1. */
  proof: string;
  /** The bytes whose hash is the leaf: the UTF-8 text of a JSON array. */
  entry: Uint8Array;
  rendering: readonly RenderedColumn[];
}

/** What a bundle proves. */
export interface ProvedEntry {
  /** What kind of entry: `<trail>/<version>`. */
  kind: string;
  /** Position of its leaf, from 0. */
  index: number;
  /** The tree that it is in. */
  checkpoint: SignedCheckpoint;
  /** All columns, each one fitting the entry. */
  rendering: readonly RenderedColumn[];
}

const FORMAT = "pgtrail-proof/1";

/** Writes a bundle as the text of a file. */
export function formatBundle({ proof, entry, rendering }: ProofBundle): string {
  const text = decodeUtf8(entry);
  const bytes = text === undefined ? { entry_base64: base64(entry) } : { entry: text };
  return `${JSON.stringify({ format: FORMAT, proof, ...bytes, rendering }, null, 2)}\n`;
}

/**
 * Reads a bundle. Verifies nothing.
 *
 * Raises VerificationError `malformed_bundle`.
 */
export function parseBundle(text: string): ProofBundle {
  const file = parseJson(text);
  if (!isObject(file) || file.format !== FORMAT) {
    throw malformed(`it is not JSON with the format ${FORMAT}`);
  }
  const { proof, entry, entry_base64: encoded, rendering } = file;
  if (typeof proof !== "string") throw malformed("it has no proof");
  const bytes =
    typeof entry === "string"
      ? utf8(entry)
      : typeof encoded === "string"
        ? fromBase64(encoded)
        : undefined;
  if (!bytes) throw malformed("it has no entry");
  if (!Array.isArray(rendering) || !rendering.every(isRenderedColumn)) {
    throw malformed("its rendering is no list of columns");
  }
  return { proof, entry: bytes, rendering };
}

/**
 * Verifies a bundle: that its checkpoint is signed, that its entry is in the tree of that
 * checkpoint, and that its rendering says what the entry says.
 *
 * Raises VerificationError with any code of the parts: `not_signed`, `bad_signature`,
 * `wrong_origin`, `wrong_root`, `wrong_rendering` or `malformed_...`.
 */
export async function verifyBundle(
  bundle: ProofBundle,
  signers: Signers,
  algorithms: Algorithms = webCrypto,
): Promise<ProvedEntry> {
  const { index, hashes, checkpoint: note } = parseTlogProof(bundle.proof);
  const checkpoint = await verifySignedCheckpoint(note, signers, algorithms);
  const leaf = await leafHash(bundle.entry, algorithms);
  await verifyInclusion(
    { index, leaf, hashes, size: checkpoint.size, root: checkpoint.root },
    algorithms,
  );

  const [kind, ...values] = entryValues(bundle.entry);
  await verifyRendering(bundle.rendering, values, algorithms);
  return { kind: kind ?? "", index, checkpoint, rendering: bundle.rendering };
}

/**
 * The values of an entry, the kind first: strings as they are, null as null, everything else as the
 * JSON text that stands there, so that no digit of a large number is lost.
 *
 * Raises VerificationError `malformed_bundle` when the bytes are no JSON array.
 */
export function entryValues(entry: Uint8Array): (string | null)[] {
  const text = decodeUtf8(entry);
  if (text === undefined || !Array.isArray(parseJson(text))) {
    throw malformed("its entry is no JSON array");
  }
  return elements(text).map((raw) => {
    if (raw === "null") return null;
    return raw.startsWith('"') ? JSON.parse(raw) : raw;
  });
}

/** Texts of the elements of a JSON array, which is known to be one. */
function elements(array: string): string[] {
  const found: string[] = [];
  let depth = 0;
  let start = 0;
  for (const { 0: token, index } of array.matchAll(/"[^"\\]*(?:\\.[^"\\]*)*"|[[\]{},]/g)) {
    if (token === "[" || token === "{") depth++;
    const isEnd = depth === 1 && (token === "," || token === "]");
    if (isEnd) found.push(array.slice(start, index).trim());
    if (isEnd || (depth === 1 && token === "[")) start = index + 1;
    if (token === "]" || token === "}") depth--;
  }
  return found;
}

async function verifyRendering(
  rendering: readonly RenderedColumn[],
  values: readonly (string | null)[],
  algorithms: Algorithms,
): Promise<void> {
  const wrong = (message: string) => new VerificationError("wrong_rendering", message);
  if (rendering.length !== values.length) {
    throw wrong(`the rendering has ${rendering.length} columns, the entry ${values.length}`);
  }
  for (const [i, rendered] of rendering.entries()) {
    const held = values[i] ?? null;
    if (await fits(rendered, held, algorithms)) continue;
    throw wrong(`what the bundle shows for ${rendered.column} is not what the entry holds`);
  }
}

/** Whether a column that is shown like this is what the entry holds for it. */
export async function fits(
  { value, salt, commitment }: RenderedColumn,
  held: string | null,
  algorithms: Algorithms,
): Promise<boolean> {
  if (value === undefined) return commitment === held;
  if (value === null || salt === undefined) {
    return value === held || (held !== null && value === microsecondsAsTime(held));
  }
  return isSalt(salt) && held === hex(await algorithms.sha256(concat(fromHex(salt), utf8(value))));
}

/**
 * Whether this can be the salt of a commitment: 32 bytes, or none for a plain digest. Text is none:
 * of a plain digest, the beginning of the value could be passed off as the salt, and only the rest
 * of it shown. One random salt in a hundred million is text by chance; its value stays undisclosed.
 */
export function isSalt(salt: string): boolean {
  return salt === "" || (salt.length === 64 && decodeUtf8(fromHex(salt)) === undefined);
}

/**
 * ISO 8601 of the microseconds since 1970 as which an entry holds a time; undefined when they are
 * no whole number or beyond what Date knows.
 */
export function microsecondsAsTime(microseconds: string): string | undefined {
  if (!/^-?\d{1,20}$/.test(microseconds)) return undefined;
  const total = BigInt(microseconds);
  const rest = ((total % 1000n) + 1000n) % 1000n;
  const date = new Date(Number((total - rest) / 1000n));
  if (Number.isNaN(date.getTime())) return undefined;
  return date.toISOString().replace("Z", `${String(rest).padStart(3, "0")}Z`);
}

function isRenderedColumn(column: unknown): column is RenderedColumn {
  if (!isObject(column) || typeof column.column !== "string") return false;
  const { value, salt = "", commitment } = column;
  const isValue = typeof value === "string" || value === null;
  const isHidden = value === undefined && typeof commitment === "string";
  return (isValue || isHidden) && typeof salt === "string" && /^(?:[0-9a-f]{2})*$/.test(salt);
}

function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

function malformed(message: string): VerificationError {
  return new VerificationError("malformed_bundle", `this is no proof bundle: ${message}`);
}
