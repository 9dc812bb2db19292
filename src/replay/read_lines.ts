import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";

/**
 * Longest line that is kept, in UTF-16 code units. An export may hold thousands of log events in one
 * line; without a limit a file of another kind would fill the memory.
 */
export const MAX_LINE_LENGTH = 64 * 1024 * 1024;

/** A line and its number in the file, from 1. */
export interface Line {
  number: number;
  /** Without its end. Undefined when it is longer than the limit. */
  text: string | undefined;
}

/**
 * The lines of a stream of bytes, decompressed when they are gzip. Raises what reading or
 * decompressing raises, after the lines before the damage.
 */
export async function* readLines(
  bytes: AsyncIterable<Uint8Array>,
  maxLength = MAX_LINE_LENGTH,
): AsyncGenerator<Line> {
  const decoder = new TextDecoder();
  let number = 0;
  let parts: string[] = [];
  let length = 0;
  // Not node:readline, for which lines end in other places too, such as U+2028.
  const keep = (part: string) => {
    length += part.length;
    if (length > maxLength) parts = [];
    else parts.push(part);
  };
  const line = (): Line => {
    const text = length > maxLength ? undefined : parts.join("").replace(/\r$/, "");
    number++;
    parts = [];
    length = 0;
    return { number, text };
  };
  let failure: { error: unknown } | undefined;
  try {
    for await (const chunk of decompressed(bytes)) {
      const pieces = decoder.decode(chunk, { stream: true }).split("\n");
      const last = pieces.pop() ?? "";
      for (const piece of pieces) {
        keep(piece);
        yield line();
      }
      keep(last);
    }
    keep(decoder.decode());
  } catch (error) {
    failure = { error };
  }
  if (length > 0) yield line();
  if (failure) throw failure.error;
}

/** The first bytes tell, not the name: what comes through a pipe has none. */
async function* decompressed(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const source = bytes[Symbol.asyncIterator]();
  let start = Buffer.alloc(0);
  while (start.length < 2) {
    const { value, done } = await source.next();
    if (done) break;
    start = Buffer.concat([start, value]);
  }
  const all = Readable.from(whole(start, source));
  if (start[0] !== 0x1f || start[1] !== 0x8b) {
    yield* all;
    return;
  }
  const gunzip = createGunzip();
  const done = pipeline(all, gunzip);
  // It is told by whoever reads, who may stop before the end.
  done.catch(() => {});
  yield* gunzip;
  await done;
}

async function* whole(start: Uint8Array, rest: AsyncIterator<Uint8Array>) {
  if (start.length > 0) yield start;
  for (let next = await rest.next(); !next.done; next = await rest.next()) yield next.value;
}
