import { VERIFICATION_FAILED } from "../errors/exit_codes.js";
import { UserError } from "../errors/user_error.js";
import { nodeAlgorithms } from "../signing/node_algorithms.js";
import { type NoteKey, parseKey, type Signers, VerificationError } from "../verify/index.js";

/** Reads a vkey from the command line. Raises UserError: a wrong key is a wrong usage. */
export async function keyOf(vkey: string): Promise<NoteKey> {
  try {
    return await parseKey(vkey, nodeAlgorithms);
  } catch (error) {
    if (!(error instanceof VerificationError)) throw error;
    throw new UserError(`${error.message}: ${vkey}`, {
      hint: "A key looks like example.org/audit+1a2b3c4d+AbCd…; keygen prints it as the public one.",
      exitCode: 2,
    });
  }
}

/** Reads the keys of --key and --witness. */
export async function signersOf(key: string, witnesses: readonly string[]): Promise<Signers> {
  return { key: await keyOf(key), witnesses: await Promise.all(witnesses.map(keyOf)) };
}

/** Collects an option that may be given several times. */
export function collect(value: string, previous: string[]): string[] {
  return [...previous, value];
}

/** Does `work`, and raises what cannot be verified as a UserError with the exit code for that. */
export async function verifying<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof VerificationError)) throw error;
    throw new UserError(`${what} does not verify: ${error.message}`, {
      exitCode: VERIFICATION_FAILED,
      cause: error,
    });
  }
}
