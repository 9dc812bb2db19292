import { isObject, parseJson } from "../verify/json.js";
import { LINE_TYPE } from "../writer/failure_line.js";

/** The type as a value of a property, in JSON, in JSON within a string of JSON, or in CSV. */
const NAMES_TYPE = new RegExp(String.raw`type[\\"]*\s*:\s*[\\"]*${LINE_TYPE}`);

/** What an entry of a spool file has, and a message that journalctl left out. */
const MAY_BE_OTHER = /"organisation_id"|"MESSAGE"\s*:\s*null/;

/** Wrappers within wrappers that are opened: an export of a log of a log. */
const MAX_DEPTH = 6;

/** Objects of a line that are looked at, so that a damaged line costs no more than some. */
const MAX_CANDIDATES = 200;

/** What was found in one line of a log. */
export interface Found {
  /** Objects that are of the writer, as they were parsed and not validated. */
  objects: Record<string, unknown>[];
  /** Why something of the line is lost. Absent when nothing is. */
  defect?: string;
}

/**
 * Finds the writer's objects in a line of a log: structured lines, plain, after a prefix, or inside
 * what logs are exported as; and entries of a spool file, which are the whole line.
 *
 * Only the fields that exports put messages into are opened: a text of a user that an application
 * has logged elsewhere is no line of the writer.
 */
export function findFailures(text: string): Found {
  if (!NAMES_TYPE.test(text)) {
    const value = MAY_BE_OTHER.test(text) ? parse(text.trim()) : undefined;
    if (!isObject(value)) return { objects: [] };
    if (value.MESSAGE === null) {
      return { objects: [], defect: "journalctl left out a long message: export with --all" };
    }
    return { objects: isEntry(value) ? [value] : [] };
  }
  const objects = [...failuresIn(text, 0)];
  if (objects.length > 0) return { objects };
  return { objects, defect: "a structured line that is not whole" };
}

const ENTRY_HAS = ["id", "organisation_id", "actor_kind", "action"];

function isEntry(value: Record<string, unknown>): boolean {
  return ENTRY_HAS.every((column) => Object.hasOwn(value, column));
}

type Failures = Generator<Record<string, unknown>>;

function* failuresIn(text: string, depth: number): Failures {
  if (depth > MAX_DEPTH) return;
  for (const line of text.split("\n")) {
    if (NAMES_TYPE.test(line)) yield* failuresInLine(line.trim(), depth);
  }
}

function* failuresInLine(line: string, depth: number): Failures {
  const value = parse(line.replace(/,$/, ""));
  if (value !== undefined) {
    yield* failuresOf(value, depth);
    return;
  }
  // A line of an export that is spread over lines.
  const [property] = /^"(?:message|value|log|@message)"\s*:\s*/.exec(line) ?? [];
  if (property) {
    yield* failuresOf({ message: parse(line.slice(property.length).replace(/,$/, "")) }, depth);
    return;
  }
  if (line.includes(`""${LINE_TYPE}""`)) {
    for (const field of quotedFields(line)) yield* failuresIn(field, depth + 1);
    return;
  }
  for (const object of objectsIn(line)) yield* failuresOf(object, depth);
}

/** Failures in parsed JSON: the thing itself, or the messages of an export. */
function* failuresOf(value: unknown, depth: number): Failures {
  if (Array.isArray(value)) {
    for (const each of value) yield* failuresOf(each, depth);
  } else if (isObject(value)) {
    if (value.type === LINE_TYPE) {
      yield value;
      return;
    }
    // CloudWatch: events and logEvents have messages, results have lists of fields and values.
    const { message, log, events, logEvents, results, field, value: text } = value;
    for (const list of [events, logEvents, results]) {
      if (Array.isArray(list)) yield* failuresOf(list, depth);
    }
    const ofInsights = field === "@message" ? text : value["@message"];
    for (const wrapped of [message, log, ofInsights]) {
      if (typeof wrapped === "string") yield* failuresIn(wrapped, depth + 1);
      else if (isObject(wrapped)) yield* failuresOf(wrapped, depth);
    }
  }
}

/** The outermost JSON objects in a text. */
function* objectsIn(text: string): Generator<unknown> {
  let candidates = 0;
  for (let start = text.indexOf("{"); start >= 0; start = text.indexOf("{", start)) {
    if (++candidates > MAX_CANDIDATES) return;
    const end = endOfObject(text, start);
    const value = end === undefined ? undefined : parse(text.slice(start, end));
    if (value !== undefined) yield value;
    start = value !== undefined && end !== undefined ? end : start + 1;
  }
}

/** Where the object ends that begins at an opening brace; undefined when it does not. */
function endOfObject(text: string, start: number): number | undefined {
  // One character at a time: a pattern of repetitions runs out of stack on a long line.
  const structure = /["\\{}]/g;
  structure.lastIndex = start;
  let open = 0;
  let inString = false;
  for (let found = structure.exec(text); found; found = structure.exec(text)) {
    const [character] = found;
    if (character === "\\") structure.lastIndex++;
    else if (character === '"') inString = !inString;
    else if (!inString) open += character === "{" ? 1 : -1;
    if (open === 0) return structure.lastIndex;
  }
  return undefined;
}

/** The quoted fields of a line of CSV. */
function* quotedFields(text: string): Generator<string> {
  for (let start = text.indexOf('"'); start >= 0; start = text.indexOf('"', start)) {
    let end = text.indexOf('"', start + 1);
    while (end >= 0 && text[end + 1] === '"') end = text.indexOf('"', end + 2);
    if (end < 0) return;
    yield text.slice(start + 1, end).replaceAll('""', '"');
    start = end + 1;
  }
}

/** JSON; undefined when the text is none, or no more than a number or a word. */
function parse(text: string): unknown {
  return /^[{["]/.test(text) ? parseJson(text) : undefined;
}
