/** What is wrong with something that was to be verified. */
export type VerificationCode =
  /** A text or file that is not what its format says. */
  | "malformed_key"
  | "malformed_note"
  | "malformed_checkpoint"
  | "malformed_tile_path"
  | "malformed_proof"
  | "malformed_bundle"
  /** The key or witness that was asked for has not signed. */
  | "not_signed"
  /** A signature of a known key that does not fit the text. */
  | "bad_signature"
  /** A checkpoint of another log. */
  | "wrong_origin"
  /** Hashes that do not lead to the root of the checkpoint. */
  | "wrong_root"
  /** Something readable in a bundle that is not what the entry says. */
  | "wrong_rendering";

/**
 * Something could not be verified. The message is lower case and says what in plain words; it may
 * quote the input, which nobody vouches for.
 */
export class VerificationError extends Error {
  override readonly name = "VerificationError";
  readonly code: VerificationCode;

  constructor(code: VerificationCode, message: string) {
    super(message);
    this.code = code;
  }
}
