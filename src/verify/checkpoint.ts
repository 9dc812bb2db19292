import { fromBase64, fromDecimal } from "./bytes.js";
import { VerificationError } from "./error.js";
import { HASH_SIZE } from "./merkle.js";

/** State of a log at one size (c2sp.org/tlog-checkpoint). */
export interface Checkpoint {
  /** Name of the log. */
  origin: string;
  /** Leaves of the tree. */
  size: number;
  /** Root of the tree. */
  root: Uint8Array;
  /** Further lines, which pgtrail never writes. */
  extensions: readonly string[];
}

/**
 * Reads the body of a checkpoint, the part above its signatures.
 *
 * Raises VerificationError `malformed_checkpoint`.
 */
export function parseCheckpoint(body: string): Checkpoint {
  const malformed = (message: string) =>
    new VerificationError("malformed_checkpoint", `this is no checkpoint: ${message}`);

  if (!body.endsWith("\n")) throw malformed("its last line has no end");
  const [origin = "", sizeLine = "", rootLine = "", ...extensions] = body.slice(0, -1).split("\n");
  if (origin === "") throw malformed("its first line, the origin, is empty");
  const size = fromDecimal(sizeLine);
  if (size === undefined) throw malformed("its second line is no size of a tree");
  const root = fromBase64(rootLine);
  if (root?.length !== HASH_SIZE) throw malformed("its third line is no hash in base64");
  if (extensions.includes("")) throw malformed("one of its lines is empty");
  return { origin, size, root, extensions };
}
