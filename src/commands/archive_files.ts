import { createReadStream } from "node:fs";
import { readdir } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { Readable, type Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip, createGzip } from "node:zlib";

/** Compresses texts. */
export async function* gzip(texts: AsyncIterable<string>): AsyncGenerator<Uint8Array> {
  yield* through(Readable.from(texts), createGzip());
}

/**
 * The lines of a compressed file, without their ends. Raises what reading or decompressing raises.
 *
 * @param onBytes told of the bytes of the file, piece by piece
 */
export async function* gunzipLines(
  path: string,
  onBytes: (bytes: Uint8Array) => void = () => {},
): AsyncGenerator<string> {
  const file = createReadStream(path);
  file.on("data", (bytes) => onBytes(bytes as Buffer));
  const texts = through(file, createGunzip().setEncoding("utf8"));
  // Not node:readline, for which lines end in other places too, such as U+2028.
  let rest: string[] = [];
  for await (const text of texts as AsyncIterable<unknown> as AsyncIterable<string>) {
    const lines = text.split("\n");
    if (lines.length === 1) {
      rest.push(text);
      continue;
    }
    yield rest.join("") + lines[0];
    yield* lines.slice(1, -1);
    rest = [lines.at(-1) ?? ""];
  }
  const last = rest.join("");
  if (last !== "") yield last;
}

async function* through(source: Readable, transform: Transform): AsyncGenerator<Uint8Array> {
  const done = pipeline(source, transform);
  // It is told by whoever reads, who may stop before the end.
  done.catch(() => {});
  yield* transform;
  await done;
}

/** Paths of all archives below a directory of an export, from there and with slashes. */
export async function listArchives(directory: string): Promise<string[]> {
  const found = await readdir(join(directory, "entries"), {
    recursive: true,
    withFileTypes: true,
  }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
  return (
    found
      // One that begins with a dot was not finished.
      .filter((file) => !file.isDirectory() && !file.name.startsWith("."))
      .map((file) => relative(directory, join(file.parentPath ?? file.path, file.name)))
      .map((path) => path.replaceAll(sep, "/"))
      .sort()
  );
}
