import { fromBase64, fromDecimal } from "./bytes.js";
import { VerificationError } from "./error.js";
import { HASH_SIZE } from "./merkle.js";

/** Proof that an entry is in the tree of a signed checkpoint (c2sp.org/tlog-proof). */
export interface TlogProof {
  /** What the application attached, unsigned; pgtrail attaches nothing. */
  extra?: Uint8Array;
  /** Position of the leaf, from 0. */
  index: number;
  /** The leaf's sibling first. */
  hashes: readonly Uint8Array[];
  /** The signed checkpoint, as it was published. */
  checkpoint: string;
}

const FIRST_LINE = "c2sp.org/tlog-proof@v1";
const MAX_HASHES = 63;

/**
 * Reads the text of a proof. Verifies nothing.
 *
 * Raises VerificationError `malformed_proof`.
 */
export function parseTlogProof(text: string): TlogProof {
  const malformed = (message: string) =>
    new VerificationError("malformed_proof", `this is no ${FIRST_LINE}: ${message}`);

  const end = text.indexOf("\n\n");
  if (end < 0) throw malformed("no empty line parts proof and checkpoint");
  const [first, ...lines] = text.slice(0, end).split("\n");
  if (first !== FIRST_LINE) throw malformed("its first line is another");
  const [, encodedExtra] = /^extra (.*)$/.exec(lines[0] ?? "") ?? [];
  const extra = encodedExtra === undefined ? undefined : fromBase64(encodedExtra);
  if (encodedExtra !== undefined) {
    if (extra === undefined) throw malformed("its extra data are not base64");
    lines.shift();
  }
  const [, decimal = ""] = /^index (.*)$/.exec(lines.shift() ?? "") ?? [];
  const index = fromDecimal(decimal);
  if (index === undefined) throw malformed("it has no index");
  if (lines.length > MAX_HASHES) throw malformed(`it has more than ${MAX_HASHES} hashes`);
  const hashes = lines.map((line) => {
    const hash = fromBase64(line);
    if (hash?.length !== HASH_SIZE) throw malformed("one of its lines is no hash in base64");
    return hash;
  });
  return { ...(extra && { extra }), index, hashes, checkpoint: text.slice(end + 2) };
}
