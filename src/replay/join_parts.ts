import { isObject, parseJson } from "../verify/json.js";
import { MAX_LINE_LENGTH } from "./read_lines.js";

/** What a process wrote as one line, and the number of the line of the file at which it begins. */
export interface Written {
  text: string;
  line: number;
}

/** A part of what a process wrote, as a container runtime or journald kept it. */
interface Part {
  /** Whose parts belong together. */
  stream: string;
  text: string;
  /** Whether the next part of the stream continues it. */
  continues: boolean;
}

/**
 * Joins what logs have split: Kubernetes (CRI) and Docker keep a long line in parts of 16 KiB,
 * journald in parts of 48 KiB, and those of several streams may alternate. Other lines pass as they
 * are.
 *
 * @returns takes the lines one after the other, and undefined at the end; gives what is whole
 */
export function joinParts(): (text: string | undefined, line: number) => Written[] {
  const begun = new Map<string, { texts: string[]; length: number; line: number }>();

  return (text, line) => {
    if (text === undefined) {
      return [...begun.values()].map(({ texts, line }) => ({ text: texts.join(""), line }));
    }
    const part = partOf(text);
    if (!part) return [{ text, line }];
    const whole = begun.get(part.stream) ?? { texts: [], length: 0, line };
    whole.texts.push(part.text);
    whole.length += part.text.length;
    if (part.continues && whole.length <= MAX_LINE_LENGTH) {
      begun.set(part.stream, whole);
      return [];
    }
    begun.delete(part.stream);
    return [{ text: whole.texts.join(""), line: whole.line }];
  };
}

function partOf(text: string): Part | undefined {
  return criPart(text) ?? dockerPart(text) ?? journaldPart(text);
}

const CRI =
  /^\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d) (?<stream>stdout|stderr) (?<tag>[PF])(?::\S*)? /;

function criPart(text: string): Part | undefined {
  const found = CRI.exec(text);
  if (!found) return undefined;
  const { stream = "", tag } = found.groups ?? {};
  return { stream: `cri ${stream}`, text: text.slice(found[0].length), continues: tag === "P" };
}

function dockerPart(text: string): Part | undefined {
  if (!/^\{\s*"log"\s*:/.test(text)) return undefined;
  const { log, stream } = parseObject(text);
  if (typeof log !== "string" || typeof stream !== "string") return undefined;
  return {
    stream: `docker ${stream}`,
    text: log.replace(/\r?\n$/, ""),
    continues: !log.endsWith("\n"),
  };
}

function journaldPart(text: string): Part | undefined {
  if (!/^\s*\{/.test(text) || !/"MESSAGE"\s*:/.test(text)) return undefined;
  const { MESSAGE: message, _STREAM_ID: id, _LINE_BREAK: lineBreak } = parseObject(text);
  // What is not plain text is an array of bytes.
  const written = Array.isArray(message) ? Buffer.from(message).toString("utf8") : message;
  if (typeof written !== "string") return undefined;
  return { stream: `journald ${id}`, text: written, continues: lineBreak === "line-max" };
}

function parseObject(text: string): Record<string, unknown> {
  const value = parseJson(text);
  return isObject(value) ? value : {};
}
