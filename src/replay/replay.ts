import { createHash } from "node:crypto";
import { findFailures } from "./find_failures.js";
import { joinParts } from "./join_parts.js";
import { readFailure } from "./read_failure.js";
import { type Line, readLines } from "./read_lines.js";
import { restore } from "./restore.js";
import { type Session, transaction } from "./session.js";
import { addProblem, newTally, type Tally } from "./tally.js";
import type { Row, Trail } from "./trail.js";

/** Rows of one insert, and about how many bytes. */
const AT_ONCE = 500;
const BYTES_AT_ONCE = 4 * 1024 * 1024;

/** Bytes to look for failures in, and what to call them. */
export interface Source {
  name: string;
  bytes: AsyncIterable<Uint8Array>;
}

/** Where something was read. */
interface Place {
  file: string;
  line: number;
}

/** What is to be restored, and where it was read. */
interface Failed {
  trail: Trail;
  row: Row;
  place: Place;
}

/**
 * Inserts the failures that the sources tell of and that the trails do not have. Memory grows with
 * the number of distinct failures, by some 200 bytes each, and not with the sources. Raises what is
 * not about an entry, such as a lost connection; running it again is safe.
 */
export async function replay(
  session: Session,
  trails: readonly Trail[],
  sources: Iterable<Source>,
): Promise<Tally> {
  const tally = newTally();
  /** Digest of the content by id, of the first time that an id was read. */
  const seen = new Map<string, string>();
  /** Ids that the database refused. A differing entry of the same id gets its own try. */
  const refusedIds = new Set<string>();
  /** Digests of contents under the id of another one. */
  const otherContents = new Set<string>();
  const refusedReadings = new Set<string>();
  const redacted = new Map<string, Place>();
  const batch: Failed[] = [];
  let batchBytes = 0;

  async function flush(): Promise<void> {
    batchBytes = 0;
    const sent = batch.splice(0);
    for (const trail of new Set(sent.map((failed) => failed.trail))) {
      const ofTrail = sent.filter((failed) => failed.trail === trail);
      await send(trail, ofTrail);
    }
  }

  async function send(trail: Trail, sent: readonly Failed[]): Promise<void> {
    const rows = sent.map(({ row }) => row);
    const outcomes = await restore(session, trail, rows);
    for (const [i, { row, place }] of sent.entries()) {
      const { id } = row;
      const outcome = outcomes[i] ?? { kind: "refused", reason: "no answer" };
      switch (outcome.kind) {
        case "inserted":
        case "alreadyThere":
          tally.failures++;
          tally[outcome.kind]++;
          break;
        case "conflict": {
          const reason = "the database has another entry under this id";
          addProblem(tally, { ...place, id, kind: "conflict", reason });
          break;
        }
        case "refused":
          refusedIds.add(id);
          addProblem(tally, { ...place, id, kind: "refused", reason: outcome.reason });
      }
    }
  }

  async function add(trail: Trail, row: Row, place: Place): Promise<void> {
    const { id } = row;
    const { digest, bytes } = digestOf(row);
    const before = seen.get(id);
    if (before === digest || otherContents.has(digest)) return;
    if (before !== undefined) {
      // What became of the first one has to be known.
      await flush();
      if (!refusedIds.delete(id)) {
        otherContents.add(digest);
        const reason = "the files have another entry under this id";
        addProblem(tally, { ...place, id, kind: "conflict", reason });
        return;
      }
      otherContents.add(before);
    }
    seen.set(id, digest);
    batch.push({ trail, row, place });
    batchBytes += bytes;
    if (batch.length >= AT_ONCE || batchBytes >= BYTES_AT_ONCE) await flush();
  }

  /** An event that was buffered and then evicted is there twice. */
  function refuseOnce(reading: { id: string | null; reason: string }, place: Place): void {
    const key = `${reading.id} ${reading.reason}`;
    if (reading.id !== null && refusedReadings.has(key)) return;
    refusedReadings.add(key);
    addProblem(tally, { ...place, ...reading, kind: "refused" });
  }

  async function look(text: string, place: Place): Promise<void> {
    const { objects, defect } = findFailures(text);
    if (defect !== undefined) {
      addProblem(tally, { ...place, id: null, kind: "refused", reason: defect });
    }
    for (const object of objects) {
      const reading = readFailure(object, trails);
      if (reading.kind === "row") await add(reading.trail, reading.row, place);
      else if (reading.kind === "refused") refuseOnce(reading, place);
      else if (!redacted.has(reading.id)) redacted.set(reading.id, place);
    }
  }

  for (const { name: file, bytes } of sources) {
    const join = joinParts();
    const refuse = (line: number, reason: string) =>
      addProblem(tally, { file, line, id: null, kind: "refused", reason });
    let line = 0;
    const onDamage = (message: string) => refuse(line + 1, `cannot read on: ${message}`);
    for await (const { number, text } of undamagedLines(bytes, onDamage)) {
      line = number;
      tally.lines++;
      if (text === undefined) refuse(line, "a line of more than 64 MiB");
      else for (const part of join(text, line)) await look(part.text, { file, line: part.line });
    }
    for (const part of join(undefined, line)) await look(part.text, { file, line: part.line });
  }
  await flush();

  // One that came into the database in another way, or is in the files with its payload, is not lost.
  const ids = [...redacted.keys()].filter((id) => !seen.has(id));
  const there = await idsThere(session, trails, ids);
  for (const id of ids) {
    if (there.has(id)) {
      tally.failures++;
      tally.alreadyThere++;
    } else {
      const reason = "its payload was kept out of the log";
      addProblem(tally, { ...(redacted.get(id) as Place), id, kind: "redacted", reason });
    }
  }
  return tally;
}

/** The same for the same content, in whatever order its keys are. */
function digestOf(row: object): { digest: string; bytes: number } {
  const content = JSON.stringify(row, (_key, value) =>
    typeof value === "object" && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  );
  const digest = createHash("sha256").update(content).digest("base64");
  return { digest, bytes: content.length };
}

/**
 * Lines up to where a source cannot be read any further. Only what reading raises is caught here,
 * not what becomes of the lines.
 */
async function* undamagedLines(
  bytes: AsyncIterable<Uint8Array>,
  onDamage: (message: string) => void,
): AsyncGenerator<Line> {
  try {
    yield* readLines(bytes);
  } catch (error) {
    onDamage(error instanceof Error ? error.message : String(error));
  }
}

async function idsThere(
  session: Session,
  trails: readonly Trail[],
  ids: readonly string[],
): Promise<Set<string>> {
  const there = new Set<string>();
  const selects = trails.map(
    ({ name }) => `select id from public.${name} where id = any ($1::uuid[])`,
  );
  for (let start = 0; start < ids.length; start += AT_ONCE) {
    const { rows } = await transaction(session, () =>
      session.client.query<{ id: string }>(selects.join(" union all "), [
        ids.slice(start, start + AT_ONCE),
      ]),
    );
    for (const { id } of rows) there.add(id);
  }
  return there;
}
