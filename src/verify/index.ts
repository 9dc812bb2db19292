/**
 * Verifies what a log of pgtrail publishes, without the database and without trusting it: formats
 * of c2sp.org, hashes of RFC 6962, proofs as RFC 9162 verifies them. No dependency and nothing of
 * Node's: it runs wherever Web Crypto has Ed25519.
 */
export { type Algorithms, webCrypto } from "./algorithms.js";
export {
  type Archive,
  type ArchiveDefect,
  type ArchivedEntry,
  type ArchiveHeader,
  archivePath,
  checkArchive,
  formatArchivedEntry,
  formatArchiveHeader,
  parseArchiveHeader,
  provableRow,
} from "./archive.js";
export {
  entryValues,
  formatBundle,
  isSalt,
  microsecondsAsTime,
  type ProofBundle,
  type ProvedEntry,
  parseBundle,
  type RenderedColumn,
  verifyBundle,
} from "./bundle.js";
export { type Checkpoint, parseCheckpoint } from "./checkpoint.js";
export { type VerificationCode, VerificationError } from "./error.js";
export {
  type ConsistencyProof,
  emptyRoot,
  HASH_SIZE,
  type InclusionProof,
  leafHash,
  nodeHash,
  rootFromInclusion,
  verifyConsistency,
  verifyInclusion,
} from "./merkle.js";
export {
  formatNote,
  isKeyName,
  KeyType,
  keyId,
  type Note,
  type NoteKey,
  type NoteSignature,
  parseKey,
  parseNote,
  type VerifiedSignature,
  verifyNote,
} from "./note.js";
export {
  type SignedCheckpoint,
  type Signers,
  verifySignedCheckpoint,
} from "./signed_checkpoint.js";
export {
  checkTiles,
  parseTilePath,
  TILE_WIDTH,
  type Tile,
  type TileDefect,
  type TileLevel,
  type TileTree,
  tileLevels,
  tilePath,
} from "./tiles.js";
export { parseTlogProof, type TlogProof } from "./tlog_proof.js";
