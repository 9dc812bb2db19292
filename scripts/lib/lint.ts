import { readFileSync } from "node:fs";
import { join } from "node:path";
import { sqlFiles } from "./files.js";
import { kindAndName } from "./sources.js";
import { lineAt, significant, skeleton, statements, type Token, tokenise } from "./tokens.js";

/** A place where a file breaks a rule. */
export interface Finding {
  /** Path from the project's root. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
  readonly rule: string;
  readonly message: string;
}

/** A file as the rules see it. */
interface SqlFile {
  readonly path: string;
  readonly text: string;
  readonly tokens: readonly Token[];
  readonly statements: readonly Statement[];
}

interface Statement {
  readonly skeleton: string;
  readonly tokens: readonly Token[];
  /** Position of its first character in the file. */
  readonly offset: number;
}

/** Reports a broken rule at a position of the file; the first character unless told otherwise. */
type Report = (rule: string, message: string, offset?: number) => void;

type Rule = (file: SqlFile, report: Report) => void;

const LONGEST_LINE = 120;

/** What a source must not hold because its migration holds it: either runner would trip over it. */
const runnerRules: Rule = ({ text, tokens, statements }, report) => {
  // node-pg-migrate cuts a file at such a comment and drops what stands before it, in silence. The
  // pattern is its own, so that it is found wherever node-pg-migrate would find it.
  for (const match of text.matchAll(/^\s*--[\s-]*(up|down)\s+migration/gim)) {
    report(
      "migration-marker",
      `node-pg-migrate cuts the file at a comment that begins with "${match[1]} migration": reword it`,
      match.index + match[0].indexOf("--"),
    );
  }
  for (const { kind, text, offset } of tokens) {
    if (kind === "unterminated") {
      report("unterminated", `${text.slice(0, 10).split("\n")[0]} is never closed`, offset);
    }
    if (kind === "symbol" && text === "\\") {
      report("psql-command", "commands of psql mean nothing to the runners: write SQL", offset);
    }
  }
  for (const statement of statements) {
    const { skeleton, offset } = statement;
    if (isSessionSetting(statement)) {
      report(
        "session-setting",
        `"${skeleton}" would last into the next file: qualify names, use set local`,
        offset,
      );
    }
    if (
      /^(begin|commit|rollback|abort|end|savepoint|release|start transaction|prepare transaction)\b/.test(
        skeleton,
      )
    ) {
      report("transaction", "the runner opens and closes the transaction: remove it", offset);
    }
    if (/\bconcurrently\b/.test(skeleton) && !skeleton.startsWith("refresh ")) {
      report(
        "concurrently",
        "cannot run in the runner's transaction: leave out concurrently",
        offset,
      );
    }
  }
};

/** `set` that outlasts the file: node-pg-migrate keeps one session for all files. */
function isSessionSetting({ skeleton }: Statement): boolean {
  return /^(set|reset|discard)\b/.test(skeleton) && !/^set (local|constraints)\b/.test(skeleton);
}

const textRules: Rule = ({ text, tokens, statements }, report) => {
  let offset = 0;
  for (const line of text.split("\n")) {
    if (line.includes("\t")) report("tab", "indent with four spaces", offset);
    if (/\s$/.test(line)) report("trailing-blank", "remove the blanks at the end", offset);
    if (line.length > LONGEST_LINE) {
      report("line-length", `${line.length} characters, at most ${LONGEST_LINE}`, offset);
    }
    offset += line.length + 1;
  }
  if (!text.endsWith("\n")) report("final-newline", "end the file with a newline", text.length);
  for (const { kind, text, offset } of [...tokens, ...bodies(statements).flat()]) {
    if (kind === "word" && /[A-Z]/.test(text) && !/^(NEW|OLD|TG_[A-Z_]+)$/.test(text)) {
      report("lower-case", `write ${text.toLowerCase()}, not ${text}`, offset);
    }
  }
  for (const body of bodies(statements)) raiseRule(significant(body), report);
};

/** The bodies of functions and of do blocks, as tokens with positions in the file. */
function bodies(statements: readonly Statement[]): Token[][] {
  return statements.flatMap(({ skeleton, tokens }) => {
    if (!/^(do|create (or replace )?(function|procedure)) /.test(skeleton)) return [];
    const body = tokens.find(({ kind }) => kind === "dollar");
    if (!body) return [];
    const quote = body.text.indexOf("$", 1) + 1;
    const start = body.offset + quote;
    return [
      tokenise(body.text.slice(quote, -quote)).map((token) => ({
        ...token,
        offset: token.offset + start,
      })),
    ];
  });
}

const functionRules: Rule = ({ path, statements }, report) => {
  const creates = statements.filter(({ skeleton }) =>
    /^create (or replace )?(function|procedure)\b/.test(skeleton),
  );
  const [create, second] = creates;
  if (!create || second) {
    report(
      "one-function",
      `one function or procedure a file, found ${creates.length}`,
      second?.offset,
    );
    return;
  }
  const { kind, qualifiedName } =
    /^create (?:or replace )?(?<kind>function|procedure) (?<qualifiedName>[^ ]+)/.exec(
      create.skeleton,
    )?.groups ?? {};
  const name = qualifiedName
    ?.split(".")
    .at(-1)
    ?.replace(/^"(.*)"$/, "$1");
  if (!create.skeleton.startsWith("create or replace ")) {
    report("replayable", `write create or replace ${kind}`, create.offset);
  }
  if (name !== kindAndName(path).name) {
    report("file-name", `makes ${name}: name the file ${name}.sql`, create.offset);
  }
  // An SQL-standard body is parsed once, when the function is made, whatever the caller's path is.
  const isParsed = / (return|begin atomic) /.test(create.skeleton);
  if (!isParsed && !/ set search_path = pg_catalog , pg_temp( |$)/.test(create.skeleton)) {
    report("search-path", "add set search_path = pg_catalog, pg_temp", create.offset);
  }
  const after = statements.slice(statements.indexOf(create) + 1).map(({ skeleton }) => skeleton);
  const target = `(function|procedure|routine) ${literally(qualifiedName ?? "")}(?= |$)`;
  const revoke = new RegExp(
    `^revoke (all|execute)( privileges)? on ${target}.* from (.*, )?public\\b`,
  );
  if (!after.some((statement) => revoke.test(statement))) {
    report(
      "revoke",
      `follow with revoke all on ${kind} ${qualifiedName}(...) from public`,
      create.offset,
    );
  }
  const comment = new RegExp(`^comment on ${target}`);
  if (!after.some((statement) => comment.test(statement))) {
    report("comment", `follow with comment on ${kind} ${qualifiedName}(...)`, create.offset);
  }
};

/** A pattern that matches a text as it is. */
function literally(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

/** Every error that a body raises states its SQLSTATE and what to do. */
function raiseRule(tokens: readonly Token[], report: Report): void {
  tokens.forEach(({ kind, text, offset }, index) => {
    if (kind !== "word" || text.toLowerCase() !== "raise") return;
    const end = tokens.findIndex((token, at) => at > index && token.text === ";");
    const raise = skeleton(tokens.slice(index, end === -1 ? undefined : end));
    if (raise === "raise" || /^raise (debug|log|info|notice|warning)\b/.test(raise)) return;
    const namesCondition = /^raise (?!exception\b|using\b)[a-z]/.test(raise);
    for (const option of namesCondition ? ["hint"] : ["errcode", "hint"]) {
      if (!new RegExp(`\\b${option} (=|: =)`).test(raise)) {
        report("raise", `an error states its ${option}: add ${option} = ...`, offset);
      }
    }
  });
}

const policyRules: Rule = ({ statements }, report) => {
  const dropped = new Set<string>();
  for (const { skeleton, offset } of statements) {
    const [, action, policy] =
      /^(drop policy if exists|create policy) ([^ ]+ on [^ ]+)/.exec(skeleton) ?? [];
    if (policy === undefined) continue;
    if (action === "create policy" && !dropped.has(policy)) {
      report("drop-policy", `write drop policy if exists ${policy}; before it`, offset);
    }
    dropped.add(policy);
  }
};

/** The findings in one source; its folder decides which rules it must keep. */
export function lintSource(path: string, text: string): Finding[] {
  const tokens = tokenise(text);
  const file: SqlFile = {
    path,
    text,
    tokens,
    statements: statements(tokens).map((statement) => ({
      skeleton: skeleton(statement),
      tokens: statement,
      offset: statement[0]?.offset ?? 0,
    })),
  };
  const rules = [runnerRules, textRules];
  const { kind } = kindAndName(path);
  if (kind === "functions") rules.push(functionRules);
  if (kind === "policies") rules.push(policyRules);
  const findings: Finding[] = [];
  for (const rule of rules) {
    rule(file, (name, message, offset = 0) => {
      findings.push({ file: path, line: lineAt(text, offset), rule: name, message });
    });
  }
  return findings.sort((a, b) => a.line - b.line);
}

/** The findings in all of sql/, from which everything else is made. */
export function lintProject(root: string): Finding[] {
  return sqlFiles(join(root, "sql")).flatMap((file) =>
    lintSource(`sql/${file}`, readFileSync(join(root, "sql", file), "utf8")),
  );
}

/** A finding on one line, as editors and terminals link it. */
export function formatFinding({ file, line, rule, message }: Finding): string {
  return `${file}:${line}: ${rule}: ${message}`;
}
