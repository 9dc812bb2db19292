/**
 * What pgtrail/verify has to do wherever it runs. Compiled with the library and run in each runtime
 * by tests/integration/verify_everywhere.test.ts, so nothing here may be Node's.
 */
import {
  archivePath,
  checkArchive,
  checkTiles,
  formatBundle,
  formatNote,
  type NoteKey,
  type ProofBundle,
  parseArchiveHeader,
  parseBundle,
  parseKey,
  parseNote,
  parseTlogProof,
  tilePath,
  VerificationError,
  verifyBundle,
  verifyConsistency,
  verifySignedCheckpoint,
} from "../../src/verify/index.js";
import { nodeGlobals } from "./node_globals.js";

/** What a log published. Bytes are base64, since this travels as JSON. */
export interface Published {
  /** Keys of the log, of its witness, and of somebody else under the log's name. */
  keys: { log: string; witness: string; stranger: string };
  /** A proof bundle, as `pgtrail prove` writes it, under the newer checkpoint. */
  bundle: string;
  /** Signed and cosigned, the older one first. */
  checkpoints: [string, string];
  /** That the newer checkpoint continues the older one. */
  consistency: string[];
  /** Tiles of the newer checkpoint by their paths, as `pgtrail export-tiles` writes them. */
  tiles: Record<string, string>;
  /** One file of `pgtrail archive`. */
  archive: { path: string; gzip: string };
}

/** The action of the entry in the bundle: more than ASCII. */
export const action = "café.brewed";
/** When the witness saw the checkpoints, by its own clock. */
export const seen = "2026-11-21T04:00:00.000Z";

/** A check, and what it gives when the library does what it should. */
export interface Check {
  name: string;
  expected: string;
  run(published: Published): Promise<string>;
}

/** What came out of the checks, and where. */
export interface Report {
  /** How the runtime calls itself; Node 20 does not. */
  userAgent: string;
  /** Which of nodeGlobals it has. */
  nodeGlobals: string[];
  /** By name of the check: what it gave, or the error that it should not have raised. */
  results: Record<string, string>;
}

export async function report(published: Published): Promise<Report> {
  const results: Record<string, string> = {};
  for (const { name, run } of checks) {
    results[name] = await run(published).catch((error) => String(error.stack ?? error));
  }
  return {
    userAgent: Reflect.get(globalThis, "navigator")?.userAgent ?? "",
    nodeGlobals: nodeGlobals.filter((name) => name in globalThis),
    results,
  };
}

/** "accepted", or the code of the VerificationError. */
async function outcome(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return "accepted";
  } catch (error) {
    if (error instanceof VerificationError) return error.code;
    throw error;
  }
}

function bytesOf(base64: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}

/** A copy with one bit of one byte flipped, by default of the byte in the middle. */
function flipped(bytes: Uint8Array, at = bytes.length >> 1): Uint8Array {
  return bytes.with(at, (bytes[at] as number) ^ 1);
}

async function signersOf({ keys }: Published): Promise<{ key: NoteKey; witnesses: [NoteKey] }> {
  return { key: await parseKey(keys.log), witnesses: [await parseKey(keys.witness)] };
}

/** What becomes of the bundle with something changed. */
async function bundleWith(
  published: Published,
  change: (bundle: ProofBundle) => Partial<ProofBundle>,
): Promise<string> {
  const bundle = parseBundle(published.bundle);
  const signers = await signersOf(published);
  return outcome(verifyBundle({ ...bundle, ...change(bundle) }, signers));
}

/** What becomes of the bundle with a bit flipped in a signature of its checkpoint. */
function signedBadly(published: Published, position: number): Promise<string> {
  return bundleWith(published, ({ proof }) => {
    const { checkpoint } = parseTlogProof(proof);
    const { text, signatures } = parseNote(checkpoint);
    const bad = signatures.map((each, i) =>
      i === position ? { ...each, signature: flipped(each.signature) } : each,
    );
    return { proof: proof.replace(checkpoint, formatNote({ text, signatures: bad })) };
  });
}

async function consistency(published: Published, alter = (hash: Uint8Array) => hash) {
  const signers = await signersOf(published);
  const [from, to] = await Promise.all(
    published.checkpoints.map((note) => verifySignedCheckpoint(note, signers)),
  );
  if (!from || !to) throw new Error("there are two checkpoints");
  const hashes = published.consistency.map((hash) => alter(bytesOf(hash)));
  const roots = { fromRoot: from.root, toRoot: to.root };
  return outcome(verifyConsistency({ fromSize: from.size, toSize: to.size, ...roots, hashes }));
}

/** The tree of the newer checkpoint, with a bit flipped in the tile at a path. */
async function treeOf(published: Published, damaged?: string) {
  const { size, root } = await verifySignedCheckpoint(
    published.checkpoints[1],
    await signersOf(published),
  );
  const read = async (tile: Parameters<typeof tilePath>[0]) => {
    const path = tilePath(tile);
    const base64 = published.tiles[path];
    if (base64 === undefined) return undefined;
    return path === damaged ? flipped(bytesOf(base64)) : bytesOf(base64);
  };
  return { size, root, read };
}

/** Defects and where they are, a line each. */
async function defectsOf(found: AsyncIterable<{ defect: string; path: string }>): Promise<string> {
  const lines: string[] = [];
  for await (const { defect, path } of found) lines.push(`${defect} ${path}`.trim());
  return lines.join("\n") || "no defects";
}

/** What is wrong with the archive once something in its text is replaced. */
async function archiveWith(published: Published, [from, to]: [string, string] = ["", ""]) {
  const { path, gzip } = published.archive;
  const stream = new Blob([bytesOf(gzip)]).stream().pipeThrough(new DecompressionStream("gzip"));
  const text = await new Response(stream).text();
  if (!text.includes(from)) throw new Error(`the archive has no ${from}`);
  async function* lines() {
    yield* text.replace(from, to).trimEnd().split("\n");
  }
  const tree = await treeOf(published);
  const found = await defectsOf(checkArchive({ path, lines: lines(), tree }));
  const { trail, month, entries } = parseArchiveHeader(text.split("\n")[0] ?? "") ?? {};
  const isInPlace = path === archivePath(trail ?? "", month ?? "");
  return `${found.replaceAll(path, "line")}, ${entries} entries${isInPlace ? "" : " elsewhere"}`;
}

export const checks: Check[] = [
  {
    name: "a bundle proves its entry",
    expected: `audit_log/1 ${action}, seen by witness.example at ${seen}`,
    async run(published) {
      const signers = await signersOf(published);
      const proved = await verifyBundle(parseBundle(published.bundle), signers);
      const shown = proved.rendering.find(({ column }) => column === "action")?.value;
      const witnesses = proved.checkpoint.cosignatures.map(
        ({ witness, time }) => `${witness.name} at ${time.toISOString()}`,
      );
      return `${proved.kind} ${shown}, seen by ${witnesses}`;
    },
  },
  {
    name: "a bundle that is read and written stays as it was",
    expected: "the same",
    run: async ({ bundle }) => {
      const written = formatBundle(parseBundle(bundle));
      return JSON.stringify(JSON.parse(written)) === JSON.stringify(JSON.parse(bundle))
        ? "the same"
        : written;
    },
  },
  {
    name: "an entry that is not UTF-8 travels in a bundle as base64",
    expected: "91,255,93",
    run: async ({ bundle }) => {
      const entry = Uint8Array.of(0x5b, 0xff, 0x5d);
      return String(parseBundle(formatBundle({ ...parseBundle(bundle), entry })).entry);
    },
  },
  {
    name: "one other byte in the entry is refused",
    expected: "wrong_root",
    run: (published) => bundleWith(published, ({ entry }) => ({ entry: flipped(entry) })),
  },
  {
    name: "another value shown for the entry is refused",
    expected: "wrong_rendering",
    run: (published) =>
      bundleWith(published, ({ rendering }) => ({
        rendering: rendering.map((each) =>
          each.column === "action" ? { ...each, value: "cafe.brewed" } : each,
        ),
      })),
  },
  {
    name: "another value shown for a commitment is refused",
    expected: "wrong_rendering",
    run: (published) =>
      bundleWith(published, ({ rendering }) => ({
        rendering: rendering.map((each) =>
          each.column === "details" ? { ...each, value: "{}" } : each,
        ),
      })),
  },
  {
    name: "another key of the same name is refused",
    expected: "not_signed",
    async run(published) {
      const key = await parseKey(published.keys.stranger);
      return outcome(verifyBundle(parseBundle(published.bundle), { key }));
    },
  },
  {
    name: "a witness who has not signed is refused",
    expected: "not_signed",
    async run(published) {
      const { key } = await signersOf(published);
      const witnesses = [await parseKey(published.keys.stranger)];
      return outcome(verifyBundle(parseBundle(published.bundle), { key, witnesses }));
    },
  },
  {
    name: "a key with a wrong digit is refused",
    expected: "malformed_key",
    run: ({ keys }) => outcome(parseKey(keys.log.replace(/(?<=\+).(?=[0-9a-f]{7}\+)/, "x"))),
  },
  {
    // Where importing such a key raises an error, that has to become a refusal.
    name: "a key that is no point of the curve is refused",
    expected: "bad_signature",
    async run(published) {
      const { key } = await signersOf(published);
      const nowhere = { ...key, publicKey: new Uint8Array(32).with(0, 2) };
      return outcome(verifyBundle(parseBundle(published.bundle), { key: nowhere }));
    },
  },
  {
    name: "a bad signature of the log is refused",
    expected: "bad_signature",
    run: (published) => signedBadly(published, 0),
  },
  {
    name: "a bad signature of the witness is refused",
    expected: "bad_signature",
    run: (published) => signedBadly(published, 1),
  },
  {
    name: "another size under the same signature is refused",
    expected: "bad_signature",
    run: (published) =>
      bundleWith(published, ({ proof }) => {
        const { checkpoint } = parseTlogProof(proof);
        return { proof: proof.replace(checkpoint, checkpoint.replace(/^\d+$/m, "1$&")) };
      }),
  },
  {
    name: "a checkpoint continues an older one",
    expected: "accepted",
    run: (published) => consistency(published),
  },
  {
    name: "an altered consistency proof is refused",
    expected: "wrong_root",
    run: (published) => consistency(published, (hash) => flipped(hash)),
  },
  {
    name: "exported tiles lead to the root that was signed",
    expected: "no defects",
    run: async (published) => defectsOf(checkTiles(await treeOf(published))),
  },
  {
    name: "a damaged tile is named",
    expected: "tiles disagree tile/0/001",
    run: async (published) => defectsOf(checkTiles(await treeOf(published, "tile/0/001"))),
  },
  {
    name: "a missing tile is named",
    expected: "tile missing tile/0/000",
    run: async ({ tiles: { "tile/0/000": _, ...tiles }, ...published }) =>
      defectsOf(checkTiles(await treeOf({ ...published, tiles }))),
  },
  {
    name: "an archive fits the tiles",
    expected: "no defects, 3 entries",
    run: (published) => archiveWith(published),
  },
  {
    name: "an altered row of an archive is named",
    expected: "row altered line:2, 3 entries",
    run: (published) => archiveWith(published, ['"first aid"', '"first air"']),
  },
  {
    name: "an altered entry of an archive is named",
    expected: "entry not in the log line:2, 3 entries",
    run: (published) => archiveWith(published, ['\\"first aid\\"', '\\"first air\\"']),
  },
];
