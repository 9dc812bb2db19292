/** What a stretch of SQL text is, as Postgres' own scanner sees it. */
export type TokenKind =
  | "whitespace"
  | "comment"
  | "string"
  | "dollar"
  | "identifier"
  | "word"
  | "number"
  | "symbol"
  | "unterminated";

/** One stretch of SQL text. The texts of all tokens, joined, are the text that was read. */
export interface Token {
  readonly kind: TokenKind;
  readonly text: string;
  /** Position of the first character in the text that was read, from 0. */
  readonly offset: number;
}

// Tried in this order at each position. The letters of a word are Postgres': ASCII letters, the
// underscore and everything beyond ASCII. A closing quote is one that no second quote follows.
const PATTERNS: readonly [TokenKind, RegExp][] = [
  ["whitespace", /[ \t\n\r\f\v]+/y],
  ["comment", /--[^\n\r]*/y],
  ["string", /e'[^'\\]*(?:(?:\\[\s\S]|'')[^'\\]*)*'(?!')/iy],
  ["string", /(?:[bxn]|u&)?'[^']*(?:''[^']*)*'(?!')/iy],
  ["identifier", /(?:u&)?"[^"]*(?:""[^"]*)*"(?!")/iy],
  ["dollar", /\$((?:[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?)\$[\s\S]*?\$\1\$/y],
  [
    "unterminated",
    /(?:(?:[ebxn]|u&)?'|(?:u&)?"|\$(?:[a-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$)[\s\S]*/iy,
  ],
  ["number", /\d[\d_]*(?:\.(?!\.)[\d_]*)?(?:e[+-]?\d+)?/iy],
  ["word", /[a-z_\u0080-\uffff][\w$\u0080-\uffff]*/iy],
  ["symbol", /[\s\S]/y],
];

/** The end of the block comment that starts at `start`; block comments nest. -1 if it is open. */
function blockCommentEnd(text: string, start: number): number {
  const marks = /\/\*|\*\//g;
  marks.lastIndex = start;
  let depth = 0;
  for (let mark = marks.exec(text); mark !== null; mark = marks.exec(text)) {
    depth += mark[0] === "/*" ? 1 : -1;
    if (depth === 0) return marks.lastIndex;
  }
  return -1;
}

function tokenAt(text: string, offset: number): Token {
  if (text.startsWith("/*", offset)) {
    const end = blockCommentEnd(text, offset);
    return end === -1
      ? { kind: "unterminated", text: text.slice(offset), offset }
      : { kind: "comment", text: text.slice(offset, end), offset };
  }
  for (const [kind, pattern] of PATTERNS) {
    pattern.lastIndex = offset;
    const match = pattern.exec(text);
    if (match) return { kind, text: match[0], offset };
  }
  throw new Error(`no token at ${offset}`); // unreachable: "symbol" matches any character
}

/**
 * Splits SQL text into tokens; nothing is lost, whatever the text. A string, quoted identifier,
 * dollar quote or comment that is never closed becomes one last token of kind "unterminated".
 */
export function tokenise(text: string): Token[] {
  const tokens: Token[] = [];
  for (let offset = 0; offset < text.length; ) {
    const token = tokenAt(text, offset);
    tokens.push(token);
    offset += token.text.length;
  }
  return tokens;
}

/** The tokens that mean something to Postgres: all but white space and comments. */
export function significant(tokens: readonly Token[]): Token[] {
  return tokens.filter(({ kind }) => kind !== "whitespace" && kind !== "comment");
}

/**
 * Splits tokens into statements, each without white space, comments and its semicolon. As in psql,
 * a semicolon within parentheses or within `begin atomic ... end` ends nothing.
 */
export function statements(tokens: readonly Token[]): Token[][] {
  const found: Token[][] = [];
  let current: Token[] = [];
  let parentheses = 0;
  let blocks = 0;
  for (const token of significant(tokens)) {
    const word = token.kind === "word" ? token.text.toLowerCase() : token.text;
    if (word === ";" && parentheses <= 0 && blocks === 0) {
      if (current.length > 0) found.push(current);
      current = [];
      parentheses = 0;
      continue;
    }
    if (word === "(") parentheses += 1;
    else if (word === ")") parentheses -= 1;
    else if (word === "atomic" && current.at(-1)?.text.toLowerCase() === "begin") blocks += 1;
    else if (word === "case" && blocks > 0) blocks += 1;
    else if (word === "end" && blocks > 0) blocks -= 1;
    current.push(token);
  }
  if (current.length > 0) found.push(current);
  return found;
}

/**
 * A statement as one line that patterns can be matched against: words in lower case, one space
 * between tokens, none around dots, and no text of strings, which become '…' ('' stays '') or $…$.
 */
export function skeleton(statement: readonly Token[]): string {
  return statement
    .map(({ kind, text }) => {
      if (kind === "string") return text === "''" ? "''" : "'…'";
      if (kind === "dollar") return "$…$";
      return kind === "word" ? text.toLowerCase() : text;
    })
    .join(" ")
    .replaceAll(" . ", ".");
}

/** The line, from 1, on which a position of the text lies. */
export function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split("\n").length;
}
