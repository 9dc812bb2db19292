import { type Algorithms, webCrypto } from "./algorithms.js";
import { type Checkpoint, parseCheckpoint } from "./checkpoint.js";
import { VerificationError } from "./error.js";
import { type NoteKey, verifyNote } from "./note.js";

/** Whose signatures a checkpoint must have. */
export interface Signers {
  /** Key of the log; its name is the log's origin. */
  key: NoteKey;
  /** Witnesses, each of which must have cosigned. */
  witnesses?: readonly NoteKey[];
}

/** A checkpoint that its log and the witnesses asked for have signed. */
export interface SignedCheckpoint extends Checkpoint {
  /** When each witness saw it, by its own clock. */
  cosignatures: readonly { witness: NoteKey; time: Date }[];
}

/**
 * Verifies a signed checkpoint: that it is of the key's log, and signed by it and each witness.
 *
 * Raises VerificationError `not_signed`, `bad_signature`, `wrong_origin`, `malformed_note` or
 * `malformed_checkpoint`.
 */
export async function verifySignedCheckpoint(
  note: string,
  { key, witnesses = [] }: Signers,
  algorithms: Algorithms = webCrypto,
): Promise<SignedCheckpoint> {
  const { text, signatures } = await verifyNote(note, [key, ...witnesses], algorithms);
  for (const signer of [key, ...witnesses]) {
    if (signatures.some((signature) => signature.key === signer)) continue;
    throw new VerificationError(
      "not_signed",
      `the checkpoint has no signature of ${signer.name} with key ${signer.id}`,
    );
  }
  const checkpoint = parseCheckpoint(text);
  if (checkpoint.origin !== key.name) {
    throw new VerificationError(
      "wrong_origin",
      `the checkpoint is of the log ${checkpoint.origin}, the key of ${key.name}`,
    );
  }
  const cosignatures = signatures.flatMap(({ key: witness, time }) =>
    time ? [{ witness, time }] : [],
  );
  return { ...checkpoint, cosignatures };
}
