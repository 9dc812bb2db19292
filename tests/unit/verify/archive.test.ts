import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import {
  archivePath,
  checkArchive,
  formatArchivedEntry,
  formatArchiveHeader,
  leafHash,
  provableRow,
} from "../../../src/verify/index.js";

const id = "018f3406-9e00-7000-8000-000000000001";
const path = archivePath("notes", "2024-05");

function sha256(text: string | Buffer): string {
  return createHash("sha256").update(text).digest("hex");
}

/** What the check of an archive of one entry says, when its row is shown like this. */
async function check(value: string, row: string): Promise<string[]> {
  const entry = JSON.stringify(["notes/1", id, sha256(value)]);
  const leaf = await leafHash(Buffer.from(entry));
  const header = { trail: "notes", month: "2024-05", entries: 1, tree_size: 1 };
  const columns = { "notes/1": ["id", "note"] };
  async function* lines() {
    yield formatArchiveHeader({ ...header, origin: "a", time: "at", columns }).trimEnd();
    yield formatArchivedEntry({ leaf: 0, number: 1, entry, row }).trimEnd();
  }
  const found: string[] = [];
  const tree = { size: 1, read: async () => leaf };
  for await (const { defect } of checkArchive({ path, lines: lines(), tree })) found.push(defect);
  return found;
}

const rowOf = (note: unknown) =>
  JSON.stringify({ at: "2024-05-01T12:00:00.000000Z", id, note }).replaceAll('":"', '": "');

test("a digest shows its value, and no part of it", async () => {
  const value = `${"x".repeat(32)}the rest`;
  expect(await check(value, rowOf({ value, salt: "" }))).toEqual([]);
  const part = { value: "the rest", salt: Buffer.from("x".repeat(32)).toString("hex") };
  expect(await check(value, rowOf(part))).toEqual(["row altered"]);
  expect(await check(value, rowOf({ commitment: sha256(value) }))).toEqual([]);
  expect(await check(value, rowOf({ commitment: sha256("another") }))).toEqual(["row altered"]);
  expect(await check(value, rowOf(null))).toEqual(["row altered"]);
});

test("a salt that is text by chance is not shown, and its value is kept beside the proof", async () => {
  const salt = Buffer.from("text of thirty-two bytes of ASCII");
  expect(salt.subarray(0, 32)).toHaveLength(32);
  const row = rowOf({ value: "a value", salt: salt.subarray(0, 32).toString("hex") });
  const value = `${salt.subarray(0, 32)}a value`;
  expect(await check(value, row)).toEqual(["row altered"]);
  const entry = JSON.stringify(["notes/1", id, sha256(value)]);
  const shown = await provableRow({ row, entry });
  expect(JSON.parse(shown).note).toEqual({ commitment: sha256(value), unproved: "a value" });
  expect(await check(value, shown)).toEqual([]);
  const other = rowOf({ value: "a value", salt: "ff".repeat(32) });
  expect(await provableRow({ row: other, entry })).toBe(other);
  // Of a column that the entry has in the open it is none.
  const open = await provableRow({ row, entry: "[]" });
  expect(JSON.parse(open)).toEqual(JSON.parse(row));
});

test("whatever a trail is called, its archives lie below entries/", () => {
  expect(archivePath("../a b/ü", "2024-05")).toBe(
    "entries/%2E%2E%2Fa%20b%2F%C3%BC/2024-05.ndjson.gz",
  );
});
