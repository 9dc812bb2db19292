import { rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { Command } from "commander";
import type pg from "pg";
import { UserError } from "../errors/user_error.js";
import { replaceFile } from "../system/files.js";
import {
  count,
  type Progress,
  type Screen,
  silentScreen,
  terminalScreen,
} from "../system/terminal.js";
import { HASH_SIZE, TILE_WIDTH, type Tile, tileLevels, tilePath } from "../verify/index.js";
import { databaseUrlOption } from "./database_url.js";
import { logSize, withLog } from "./with_log.js";

/** Tiles that one query fetches: 2 MB. */
const AT_ONCE = 256;

/** `pgtrail export-tiles`: the log as static files, for readers without access to the database. */
export function exportTilesCommand(): Command {
  return new Command("export-tiles")
    .description("write the log as static files, so that reading it needs no database")
    .argument("<directory>", "where tile/ and checkpoint go")
    .addOption(databaseUrlOption())
    .option("--json", "print what was written as JSON")
    .addHelpText(
      "after",
      "\nExample:\n  pgtrail export-tiles /srv/audit-log --database-url postgresql://auditor@db.example.org/app\n" +
        "\nThe files are those of c2sp.org/tlog-tiles: hashes only, no entries. They end with the newest" +
        "\nsigned checkpoint. What is there already is not written again, so an interrupted run goes on." +
        "\nThe database role has to be a member of pgtrail_auditor or pgtrail_owner." +
        "\nExit codes: 0 done, 1 something is wrong, 2 usage.",
    )
    .action(
      async (directory: string, { databaseUrl, json }: { databaseUrl: string; json?: true }) => {
        const screen = json ? silentScreen() : terminalScreen();
        const { size, note, written } = await withLog(databaseUrl, async (client) => {
          const end = await exportEnd(client);
          return { ...end, written: await exportLog(client, directory, end, screen) };
        });
        screen.line(`${count(written)} tiles written; ${count(size)} entries are in ${directory}`);
        if (note === null) {
          screen.line(
            "No checkpoint is signed yet, so none was written: pgtrail checkpoint --sign",
          );
        }
        if (json)
          process.stdout.write(`${JSON.stringify({ size, written, signed: note !== null })}\n`);
      },
    );
}

/** Where an export ends. */
export interface ExportEnd {
  /** Leaves. */
  size: number;
  /** The signed checkpoint of that tree; null when none is signed. */
  note: string | null;
}

/** Writes what is missing of an export, and returns how many tiles that were. */
export async function exportLog(
  client: pg.Client,
  directory: string,
  { size, note }: ExportEnd,
  screen: Screen,
): Promise<number> {
  const progress = screen.progress(size, "entries");
  const written = await exportTiles(client, directory, size, progress);
  progress.finish();
  // Last: whoever sees it finds every tile of it.
  if (note !== null) await replaceFile(join(directory, "checkpoint"), note, { durable: true });
  return written;
}

/** Up to where the log is exported: its newest signed checkpoint, or all of it. */
export async function exportEnd(client: pg.Client): Promise<ExportEnd> {
  const size = await logSize(client);
  const { rows } = await client.query(
    "select tree_size as size, note from pgtrail.published_checkpoints() where tree_size <= $1 limit 1",
    [size],
  );
  return rows[0] ? { size: Number(rows[0].size), note: rows[0].note } : { size, note: null };
}

/** Writes the tiles of a tree that are not there yet, and returns how many. */
async function exportTiles(
  client: pg.Client,
  directory: string,
  size: number,
  progress: Progress,
): Promise<number> {
  let written = 0;
  for (const { level, full, partial } of tileLevels(size)) {
    for (let start = 0; start < full + Math.sign(partial); start += AT_ONCE) {
      const tiles = Array.from(
        { length: Math.min(AT_ONCE, full + Math.sign(partial) - start) },
        (_, i) => ({ level, index: start + i, width: start + i < full ? TILE_WIDTH : partial }),
      );
      const missing = await missingFrom(directory, tiles);
      await writeTiles(client, directory, missing);
      written += missing.length;
      if (level === 0) progress.update(Math.min(size, (start + AT_ONCE) * TILE_WIDTH));
    }
  }
  return written;
}

async function missingFrom(directory: string, tiles: readonly Tile[]): Promise<Tile[]> {
  const sizes = await Promise.all(
    tiles.map((tile) => stat(join(directory, tilePath(tile))).catch(() => undefined)),
  );
  return tiles.filter(({ width }, i) => sizes[i]?.size !== width * HASH_SIZE);
}

async function writeTiles(
  client: pg.Client,
  directory: string,
  tiles: readonly Tile[],
): Promise<void> {
  const { rows } = await client.query<{ index: string; hashes: Buffer }>(
    "select tile_index as index, hashes from pgtrail.tiles($1, $2)",
    [tiles[0]?.level ?? 0, tiles.map(({ index }) => index)],
  );
  const found = new Map(rows.map(({ index, hashes }) => [Number(index), hashes]));
  for (const tile of tiles) {
    const path = tilePath(tile);
    // A tile of fewer hashes is the beginning of the one of more.
    const hashes = found.get(tile.index)?.subarray(0, tile.width * HASH_SIZE);
    if (hashes?.length !== tile.width * HASH_SIZE) {
      throw new UserError(`the log has no whole ${path}`, {
        hint: "The log is damaged. Look with: pgtrail verify --database-url …",
      });
    }
    await replaceFile(join(directory, path), hashes, { durable: false });
    // Who still asks for a partial one takes the full one instead (c2sp.org/tlog-tiles).
    if (tile.width === TILE_WIDTH) {
      await rm(join(directory, `${path}.p`), { recursive: true, force: true });
    }
  }
}
