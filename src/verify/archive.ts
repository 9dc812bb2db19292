import { type Algorithms, webCrypto } from "./algorithms.js";
import { entryValues, fits, isSalt, microsecondsAsTime } from "./bundle.js";
import { concat, equal, fromHex, hex, utf8 } from "./bytes.js";
import { isObject, parseJson } from "./json.js";
import { HASH_SIZE, leafHash } from "./merkle.js";
import { TILE_WIDTH, type TileTree } from "./tiles.js";

/** What the first line of an archive says. */
export interface ArchiveHeader {
  /** The trail. */
  trail: string;
  /** `YYYY-MM` of the events, in UTC. */
  month: string;
  /** How many entries follow, each a line. */
  entries: number;
  /** Leaves of the tree against which it was verified when it was written. */
  tree_size: number;
  /** Name of the log then. */
  origin: string;
  /** Column that holds the time of the event; entries have it in their id. */
  time: string;
  /** Columns in the order in which an entry holds them, by kind: `<trail>/<version>`. */
  columns: Record<string, string[]>;
}

/** One line of an archive below the first. */
export interface ArchivedEntry {
  /** Position of its leaf in the log, from 0. */
  leaf: number;
  /** Its place in the archive, from 1. */
  number: number;
  /** The text whose hash the leaf is. */
  entry: string;
  /** Columns in readable form, as pgtrail.archive_entries() gives them: the text of a JSON object. */
  row: string;
}

/** What is wrong with an archive. */
export interface ArchiveDefect {
  defect:
    | "archive not readable"
    | "header wrong"
    | "line not readable"
    | "entry not in the log"
    | "entry out of place"
    | "row altered"
    | "entry twice"
    | "entry missing"
    | "entry added";
  /** Path of the file, behind a colon the line. */
  path: string;
  detail: string;
}

const FORMAT = "pgtrail-archive/1";

/** Where the archive of a month lies beside the tiles. */
export function archivePath(trail: string, month: string): string {
  // A trail is called as its table, which may be called anything.
  return `entries/${encodeURIComponent(trail).replaceAll(".", "%2E")}/${month}.ndjson.gz`;
}

/** The first line of an archive, with its end. */
export function formatArchiveHeader(header: ArchiveHeader): string {
  return `${JSON.stringify({ format: FORMAT, ...header })}\n`;
}

/** Another line of an archive, with its end. */
export function formatArchivedEntry({ leaf, number, entry, row }: ArchivedEntry): string {
  // The row as it stands: to read and write it would cost digits of large numbers.
  return `{"leaf":${leaf},"number":${number},"entry":${JSON.stringify(entry)},"row":${row}}\n`;
}

/**
 * The row of an archived entry in a form that can be verified. One random salt in a hundred million
 * is text by chance, which isSalt() refuses; its value goes beside the commitment, unproved.
 */
export async function provableRow(
  { row, entry }: Pick<ArchivedEntry, "row" | "entry">,
  algorithms: Algorithms = webCrypto,
): Promise<string> {
  const salts = [...row.matchAll(/"salt": ?"([0-9a-f]{64})"/g)].map(([, salt = ""]) => salt);
  if (salts.every(isSalt)) return row;
  const columns = Object.entries(JSON.parse(row)).map(async ([name, shown]) => {
    if (!isObject(shown) || !salts.includes(String(shown.salt)) || isSalt(String(shown.salt))) {
      return [name, shown];
    }
    const { value, salt } = shown;
    const hash = await algorithms.sha256(concat(fromHex(String(salt)), utf8(String(value))));
    // A column in the open may look the same.
    if (!entry.includes(`"${hex(hash)}"`)) return [name, shown];
    return [name, { commitment: hex(hash), unproved: value }];
  });
  return JSON.stringify(Object.fromEntries(await Promise.all(columns)));
}

/**
 * Reads the first line of an archive. Verifies nothing; undefined when it is none.
 */
export function parseArchiveHeader(line: string): ArchiveHeader | undefined {
  const header = parseJson(line);
  if (!isObject(header) || header.format !== FORMAT) return undefined;
  const { trail, month, entries, tree_size, origin, time, columns } = header;
  const isText = [trail, month, origin, time].every((value) => typeof value === "string");
  const isCount = [entries, tree_size].every((value) => Number.isSafeInteger(value));
  if (!isText || !isCount || !isObject(columns)) return undefined;
  const lists = Object.values(columns).every(
    (names) => Array.isArray(names) && names.every((name) => typeof name === "string"),
  );
  return lists ? (header as unknown as ArchiveHeader) : undefined;
}

/** An archive and the tree that its entries are leaves of. */
export interface Archive {
  /** Path from the directory of the export, with slashes. */
  path: string;
  /** Its lines, decompressed and without their ends. */
  lines: AsyncIterable<string>;
  /** The tree; checkTiles() tells whether it is the one that was signed. */
  tree: Pick<TileTree, "size" | "read">;
}

/**
 * Verifies an archive line by line, and yields whatever does not fit: each entry is the leaf that
 * it says, rows show what the entries hold, the order is that of the log, none is there twice, and
 * there are as many as the header says. What reading the lines raises is raised.
 *
 * @param onEntry told of each entry, its number and leaf
 */
export async function* checkArchive(
  { path, lines, tree }: Archive,
  algorithms: Algorithms = webCrypto,
  onEntry: (number: number, leaf: number) => void = () => {},
): AsyncGenerator<ArchiveDefect> {
  let header: ArchiveHeader | undefined;
  let line = 0;
  let before = -1;
  let seen = new Uint8Array();
  const leafAt = leafReader(tree);

  for await (const text of lines) {
    line++;
    if (line === 1) {
      header = parseArchiveHeader(text);
      const detail = header ? wrongHeader(header, path, tree.size) : `it has no ${FORMAT} line`;
      if (detail) yield { defect: "header wrong", path: `${path}:1`, detail };
      if (!header || detail) return;
      seen = new Uint8Array(Math.ceil((header.entries + 1) / 8));
      continue;
    }
    if (!header) return;
    const at = { path: `${path}:${line}` };
    const found = parseLine(text);
    if (!found) {
      yield { defect: "line not readable", ...at, detail: "it is no JSON of an entry" };
      continue;
    }
    const { leaf, number, entry, row } = found;
    onEntry(number, leaf);
    if (number < 1 || number > header.entries) {
      const detail = `number ${number} of leaf ${leaf}; the header says ${header.entries} entries`;
      yield { defect: "entry added", ...at, detail };
    } else if (has(seen, number)) {
      yield { defect: "entry twice", ...at, detail: `number ${number} of leaf ${leaf}` };
    } else {
      add(seen, number);
    }
    if (leaf <= before) {
      const detail = `leaf ${leaf} comes behind leaf ${before}`;
      yield { defect: "entry out of place", ...at, detail };
    }
    before = leaf;

    const bytes = utf8(entry);
    const stored = await leafAt(leaf);
    if (!stored || !equal(stored, await leafHash(bytes, algorithms))) {
      const detail = stored
        ? `leaf ${leaf} has another hash than this entry`
        : `leaf ${leaf} is not in the tiles of ${tree.size} entries`;
      yield { defect: "entry not in the log", ...at, detail };
      continue;
    }
    const detail = await wrongRow(header, entry, bytes, row, algorithms);
    if (detail) yield { defect: "row altered", ...at, detail: `leaf ${leaf}: ${detail}` };
  }
  if (!header) {
    yield { defect: "header wrong", path, detail: "it is empty" };
    return;
  }
  for (let number = 1; number <= header.entries; number++) {
    if (has(seen, number)) continue;
    const start = number;
    while (number < header.entries && !has(seen, number + 1)) number++;
    const numbers = start === number ? `number ${start} is` : `numbers ${start} to ${number} are`;
    const detail = `${numbers} not there, of ${header.entries}`;
    yield { defect: "entry missing", path, detail };
  }
}

const has = (bits: Uint8Array, number: number) =>
  ((bits[number >> 3] ?? 0) & (1 << (number & 7))) !== 0;

function add(bits: Uint8Array, number: number): void {
  bits[number >> 3] = (bits[number >> 3] ?? 0) | (1 << (number & 7));
}

function wrongHeader(header: ArchiveHeader, path: string, size: number): string | undefined {
  const { trail, month, entries, tree_size } = header;
  const expected = archivePath(trail, month);
  // One that was put aside has the size of its tree in its name.
  if (path !== expected && path !== expected.replace(/ndjson\.gz$/, `${tree_size}.$&`)) {
    return `it says that it is ${expected}`;
  }
  if (entries < 0 || entries > tree_size) return `${entries} entries of a tree of ${tree_size}`;
  if (tree_size > size) return `it is of a tree of ${tree_size} entries, the checkpoint of ${size}`;
  return undefined;
}

/** Reads hashes of leaves, each tile once as long as they come in order. */
function leafReader({ size, read }: Pick<TileTree, "size" | "read">) {
  let index = -1;
  let hashes: Uint8Array | undefined;
  return async (leaf: number): Promise<Uint8Array | undefined> => {
    if (leaf >= size) return undefined;
    const wanted = Math.floor(leaf / TILE_WIDTH);
    if (wanted !== index) {
      const width = Math.min(TILE_WIDTH, size - wanted * TILE_WIDTH);
      hashes = await read({ level: 0, index: wanted, width });
      index = wanted;
    }
    const start = (leaf % TILE_WIDTH) * HASH_SIZE;
    const hash = hashes?.subarray(start, start + HASH_SIZE);
    return hash?.length === HASH_SIZE ? hash : undefined;
  };
}

type Row = Record<string, unknown>;

function parseLine(text: string): (Omit<ArchivedEntry, "row"> & { row: Row }) | undefined {
  const line = parseJson(text);
  if (!isObject(line)) return undefined;
  const { leaf, number, entry, row } = line;
  const isPlace = [leaf, number].every(
    (value) => Number.isSafeInteger(value) && Number(value) >= 0,
  );
  if (!isPlace || typeof entry !== "string" || !isObject(row)) return undefined;
  return { leaf: Number(leaf), number: Number(number), entry, row };
}

/** Says what of a row is not what the entry holds; the entry itself is known to be in the log. */
async function wrongRow(
  { trail, month, time, columns }: ArchiveHeader,
  entry: string,
  bytes: Uint8Array,
  row: Row,
  algorithms: Algorithms,
): Promise<string | undefined> {
  const [kind, ...parsed] = parseJson(entry) as unknown[];
  const [, ...held] = entryValues(bytes);
  const names = columns[String(kind)];
  if (!String(kind).startsWith(`${trail}/`)) return `it is a ${kind}, not one of ${trail}`;
  if (names?.length !== held.length) return `the header has no columns of ${kind}`;
  for (const [i, name] of names.entries()) {
    const shown = Object.hasOwn(row, name) ? row[name] : undefined;
    if (await isShown(shown, held[i] ?? null, parsed[i], algorithms)) continue;
    return `its ${name} is not what the entry holds`;
  }
  const extra = Object.keys(row).find((name) => name !== time && !names.includes(name));
  if (extra !== undefined) return `the entry has no ${extra}`;

  const milliseconds = Number.parseInt(String(row.id).replaceAll("-", "").slice(0, 12), 16);
  const at = microsecondsAsTime(String(milliseconds * 1000));
  if (!names.includes(time) && row[time] !== at) return `its ${time} is not that of its id`;
  if (at?.slice(0, -"-DDTHH:MM:SS.000000Z".length) !== month) return `it is not of ${month}`;
  return undefined;
}

/** Whether a row shows for a column what the entry holds, as text or as JSON. */
async function isShown(
  shown: unknown,
  held: string | null,
  parsed: unknown,
  algorithms: Algorithms,
): Promise<boolean> {
  if (shown === null || held === null) return shown === held;
  if (isObject(shown) && typeof parsed === "string") {
    const { value, salt, commitment } = shown;
    if (typeof value === "string" && typeof salt === "string") {
      return fits({ column: "", value, salt }, held, algorithms);
    }
    return commitment === held;
  }
  if (typeof parsed === "number" && shown === microsecondsAsTime(held)) return true;
  return isSame(shown, parsed);
}

/** Whether two values of JSON are the same, whatever the order of keys. */
function isSame(a: unknown, b: unknown): boolean {
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((value, i) => isSame(value, b[i]));
  }
  if (isObject(a) && isObject(b)) {
    const keys = Object.keys(a);
    return (
      keys.length === Object.keys(b).length &&
      keys.every((key) => Object.hasOwn(b, key) && isSame(a[key], b[key]))
    );
  }
  return a === b;
}
