import { byteLength } from "./byte_length.js";
import type { Json } from "./types.js";

/** Deepest nesting that is kept; what is further in is replaced by a text. */
const MAX_DEPTH = 32;
/** Most values of a document that are looked at, so that a huge one costs no more than a large one. */
const MAX_VALUES = 20_000;
/** Members of objects that are looked at beyond that, when they are no objects themselves. */
const MAX_BESIDE = 1000;
/** Longest text within a document, in UTF-16 units; more never fits a document anyway. */
const MAX_TEXT = 65_536;
/** Most changes that are noted one by one. */
const MAX_NOTES = 20;

/** What had to be changed in an event, by path. */
export interface Notes {
  add(path: string, what: string): void;
  /** As the value of `details.sanitised`; null when nothing was changed. */
  toJson(): { [path: string]: Json } | null;
}

/** Makes an empty list of notes. */
export function createNotes(): Notes {
  const notes = new Map<string, string>();
  let more = 0;
  return {
    add(path, what) {
      const key = cleanText(path.slice(0, 100));
      const before = notes.get(key);
      if (before === undefined && notes.size >= MAX_NOTES) {
        more += 1;
        return;
      }
      notes.set(key, cleanText((before ? `${before}; ${what}` : what).slice(0, 300)));
    },
    toJson() {
      if (notes.size === 0) return null;
      return Object.fromEntries(more > 0 ? [...notes, ["...", `and ${more} more`]] : notes);
    },
  };
}

/** Whether Postgres takes a text for sure: without NUL and characters outside of the basic plane. */
function isClean(text: string): boolean {
  // Nearly every text is, and finding that out is cheap without whole characters.
  return !/[\ud800-\udfff]/.test(text) && !text.includes("\0");
}

/** A text as Postgres takes it: U+FFFD in place of NUL and of halves of surrogate pairs. */
export function cleanText(text: string): string {
  if (isClean(text)) return text;
  return text.replaceAll("\0", "\uFFFD").replace(/\p{Surrogate}/gu, "\uFFFD");
}

/** At most so many characters of a text, counted as Postgres does. */
export function cutText(text: string, limit: number): string {
  // No character takes more than two units, so most texts need no counting.
  if (text.length <= limit) return text;
  return [...text.slice(0, 2 * limit)].slice(0, limit).join("");
}

/** Most values, and longest text, of what is copied without keeping a path for notes. */
const PLAIN_VALUES = 1000;
const PLAIN_TEXT = 8192;

/**
 * A copy of a value of moderate size that JSON can hold as it is, which nearly every document is.
 * Undefined where something may have to be noted.
 */
function copyPlain(value: unknown): Json | undefined {
  let left = PLAIN_VALUES;

  function copy(value: unknown, depth: number): Json | undefined {
    left -= 1;
    if (left < 0 || depth > MAX_DEPTH) return undefined;
    switch (typeof value) {
      case "string":
        return value.length <= PLAIN_TEXT && isClean(value) ? value : undefined;
      case "number":
        return Number.isFinite(value) ? value : undefined;
      case "boolean":
        return value;
      case "object":
        if (value === null) return null;
        if ("toJSON" in value) return undefined;
        return Array.isArray(value) ? copyList(value, depth) : copyObject(value, depth);
      default:
        return undefined;
    }
  }

  function copyList(list: unknown[], depth: number): Json[] | undefined {
    const copied: Json[] = [];
    for (const each of list) {
      const member = copy(each, depth + 1);
      if (member === undefined) return undefined;
      copied.push(member);
    }
    return copied;
  }

  function copyObject(object: object, depth: number): Json | undefined {
    const prototype = Object.getPrototypeOf(object);
    if (prototype !== Object.prototype && prototype !== null) return undefined;
    const copied: { [key: string]: Json } = {};
    for (const key of Object.keys(object)) {
      const given = (object as Record<string, unknown>)[key];
      if (given === undefined) continue;
      const member = copy(given, depth + 1);
      // Setting __proto__ is no property.
      if (member === undefined || key === "__proto__" || !isClean(key)) return undefined;
      copied[key] = member;
    }
    return copied;
  }

  try {
    return copy(value, 0);
  } catch {
    // A member that cannot be read is noted.
    return undefined;
  }
}

/**
 * Any value as JSON. Dates, and whatever has a `toJSON`, are rendered as it says, Map as an object,
 * Set as an array, bigint as text; what cannot be rendered is replaced by a text in brackets that
 * names it. Never throws; what was lost or looks different is noted under its path.
 */
export function toJson(value: unknown, path: string, notes: Notes): Json {
  const copy = copyPlain(value);
  if (copy !== undefined) return copy;
  let left = MAX_VALUES;
  const ancestors = new Set<object>();

  function replace(at: string, what: string): string {
    notes.add(at, what);
    return `[${what}]`;
  }

  function render(value: unknown, at: string): Json {
    left -= 1;
    switch (typeof value) {
      case "string":
        return renderText(value, at);
      case "number":
        if (Number.isFinite(value)) return value;
        notes.add(at, "no number of JSON, rendered as text");
        return String(value);
      case "boolean":
        return value;
      case "bigint":
        notes.add(at, "bigint, rendered as text");
        return value.toString();
      case "undefined":
        return null;
      case "object":
        return value === null ? null : renderObject(value, at);
      default:
        return replace(at, typeof value);
    }
  }

  function renderText(value: string, at: string): string {
    const cut = value.length > MAX_TEXT ? value.slice(0, MAX_TEXT) : value;
    if (cut !== value) notes.add(at, `cut from ${value.length} to ${MAX_TEXT} characters`);
    const clean = cleanText(cut);
    if (clean !== cut) notes.add(at, "NUL or half a surrogate pair replaced by U+FFFD");
    return clean;
  }

  function renderObject(value: object, at: string): Json {
    if (left < 0) return replace(at, `beyond ${MAX_VALUES} values`);
    if (ancestors.has(value)) return replace(at, "circular");
    if (ancestors.size >= MAX_DEPTH) return replace(at, `deeper than ${MAX_DEPTH} levels`);
    ancestors.add(value);
    try {
      return renderMembers(value, at);
    } catch (error) {
      return replace(at, `unreadable: ${messageOf(error)}`);
    } finally {
      ancestors.delete(value);
    }
  }

  function renderMembers(value: object, at: string): Json {
    if (ArrayBuffer.isView(value)) return replace(at, `${value.byteLength} bytes`);
    if (value instanceof Date && Number.isNaN(value.getTime())) return replace(at, "invalid date");
    const { toJSON } = value as { toJSON?: unknown };
    if (typeof toJSON === "function") return render(toJSON.call(value), at);
    if (value instanceof Map) {
      notes.add(at, "Map, rendered as an object");
      const pairs = [...value];
      return renderNamed(
        pairs.map(([key]) => String(key)),
        (index) => pairs[index]?.[1],
      );
    }
    if (value instanceof Set) {
      notes.add(at, "Set, rendered as an array");
      return renderList([...value]);
    }
    if (Array.isArray(value)) return renderList(value);
    const names = Object.keys(value);
    // Of an Error, what matters is not enumerable.
    if (value instanceof Error) names.unshift("name", "message");
    return renderNamed(names, (_, name) => (value as Record<string, unknown>)[name]);

    function renderList(list: unknown[]): Json[] {
      const rendered: Json[] = [];
      for (const [index, each] of list.entries()) {
        if (left < 0) {
          notes.add(at, `cut to ${index} of ${list.length} values`);
          break;
        }
        rendered.push(render(each, `${at}[${index}]`));
      }
      return rendered;
    }

    function renderNamed(
      names: readonly string[],
      read: (index: number, name: string) => unknown,
    ): { [key: string]: Json } {
      const rendered: [string, Json][] = [];
      for (const [index, key] of names.entries()) {
        // What stands beside a list that took all there was may still be told.
        if (left < -MAX_BESIDE) {
          notes.add(at, `cut to ${index} of ${names.length} members`);
          break;
        }
        const name = renderText(key, at);
        const below = `${at}.${name.slice(0, 100)}`;
        let member: unknown;
        try {
          member = read(index, key);
        } catch (error) {
          rendered.push([name, replace(below, `unreadable: ${messageOf(error)}`)]);
          continue;
        }
        // As JSON.stringify has it: what is undefined is not there.
        if (member !== undefined) rendered.push([name, render(member, below)]);
      }
      return Object.fromEntries(rendered);
    }
  }

  return render(value, path);
}

/** What an error says, cut short. Never throws, whatever was thrown. */
function messageOf(error: unknown): string {
  try {
    return String(error instanceof Error ? error.message : error).slice(0, 100);
  } catch {
    return "no message";
  }
}

/**
 * Upper bound of the bytes that a document takes as jsonb, which is what Postgres limits: a header
 * and four bytes for each key and value, besides what they hold.
 *
 * @param bytesOf bytes of a text
 */
export function jsonbBytes(value: Json, bytesOf: (text: string) => number = byteLength): number {
  if (typeof value === "string") return bytesOf(value);
  if (typeof value === "number") {
    // Digits are stored four in two bytes, behind a header and as many as three bytes of padding.
    return 13 + 2 * Math.ceil(String(value).length / 4);
  }
  if (typeof value === "boolean" || value === null) return 0;
  if (Array.isArray(value)) {
    return value.reduce<number>((sum, each) => sum + 4 + jsonbBytes(each, bytesOf), 12);
  }
  let sum = 12;
  for (const key of Object.keys(value)) {
    sum += 8 + bytesOf(key) + jsonbBytes(value[key] as Json, bytesOf);
  }
  return sum;
}

/** Whether a document fits into so many bytes of jsonb, which the length of its texts mostly tells. */
export function fits(document: { [key: string]: Json }, limit: number): boolean {
  return jsonbBytes(document, mostBytes) <= limit || jsonbBytes(document) <= limit;
}

/** No character takes more than three bytes a unit. */
function mostBytes(text: string): number {
  return 3 * text.length;
}

/**
 * As much of a document as fits into so many bytes of jsonb: small members stay, of long texts the
 * beginning stays, and what is left out is replaced by a text that tells its size.
 */
export function fitDocument(
  document: { [key: string]: Json },
  limit: number,
  path: string,
  notes: Notes,
): { [key: string]: Json } {
  if (fits(document, limit)) return document;
  notes.add(path, `cut from about ${jsonbBytes(document)} to at most ${limit} bytes`);

  const members = Object.entries(document).map(([key, value]) => {
    return { key, value, bytes: jsonbBytes(value) };
  });
  members.sort((one, other) => one.bytes - other.bytes);
  const kept: [string, Json][] = [];
  let left = limit - 12;
  for (const { key, value, bytes } of members) {
    const start = typeof value === "string" ? cutText(value, 1000) : "";
    for (const candidate of [value, `${start}[left out: about ${bytes} bytes]`]) {
      const cost = 8 + byteLength(key) + jsonbBytes(candidate);
      if (cost > left) continue;
      left -= cost;
      kept.push([key, candidate]);
      break;
    }
  }
  return Object.fromEntries(kept);
}
