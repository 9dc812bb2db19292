import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  lineAt,
  skeleton,
  statements,
  type TokenKind,
  tokenise,
} from "../../../scripts/lib/tokens.js";

// Pieces that open, close and escape things, so that random text gets into every state.
const pieces = fc.constantFrom(
  ..."' '' \" \\ $ $$ $a$ $1 -- /* */ e' U&\" a A_1 1.5e3 1..2 ; ( ) é \n \t :=".split(" "),
  " ",
);
const sqlText = fc
  .array(fc.oneof(pieces, fc.string()), { maxLength: 40 })
  .map((all) => all.join(""));

const single = (text: string) => tokenise(text).map(({ kind, text }) => [kind, text]);

describe("tokenise", () => {
  test("loses nothing: the tokens, joined, are the text, and offsets are positions in it", () => {
    fc.assert(
      fc.property(sqlText, (text) => {
        const tokens = tokenise(text);
        expect(tokens.map((token) => token.text).join("")).toBe(text);
        for (const token of tokens) {
          expect(text.startsWith(token.text, token.offset)).toBe(true);
          expect(token.text).not.toBe("");
        }
      }),
      { numRuns: 1000 },
    );
  });

  test.each<[TokenKind, (content: string) => string]>([
    ["string", (content) => `'${content.replaceAll("'", "''")}'`],
    ["string", (content) => `E'${content.replaceAll(/['\\]/g, "\\$&")}'`],
    ["string", (content) => `U&'${content.replaceAll("'", "''")}'`],
    ["identifier", (content) => `"${content.replaceAll('"', '""')}"`],
    ["dollar", (content) => `$$${content.replaceAll("$", "")}$$`],
    ["dollar", (content) => `$Tag$${content.replaceAll("$Tag$", "")}$$ $tag$ $Tag$`],
    ["comment", (content) => `--${content.replaceAll(/[\n\r]/g, "")}`],
    ["comment", (content) => `/*${content.replaceAll(/[/*]/g, "")}/* nested */ */`],
  ])("takes any quoted content as one %s", (kind, quote) => {
    fc.assert(
      fc.property(sqlText, (content) => {
        expect(single(quote(content))).toEqual([[kind, quote(content)]]);
      }),
    );
  });

  test("tells words, numbers and symbols apart", () => {
    expect(single("a$b$c 1..10 1.5E-3 $1 x::y")).toEqual([
      ["word", "a$b$c"],
      ["whitespace", " "],
      ["number", "1"],
      ["symbol", "."],
      ["symbol", "."],
      ["number", "10"],
      ["whitespace", " "],
      ["number", "1.5E-3"],
      ["whitespace", " "],
      ["symbol", "$"],
      ["number", "1"],
      ["whitespace", " "],
      ["word", "x"],
      ["symbol", ":"],
      ["symbol", ":"],
      ["word", "y"],
    ]);
  });

  test.each(["'it''s", "E'\\'", '"a""', "$$ $a$", "$a$ $A$", "/* /* */", "'a''''"])(
    "marks %s as never closed",
    (text) => {
      expect(single(`x ${text}`).slice(2)).toEqual([["unterminated", text]]);
    },
  );
});

describe("statements", () => {
  const split = (text: string) => statements(tokenise(text)).map(skeleton);

  test("end at semicolons outside strings, comments, parentheses and atomic bodies", () => {
    expect(
      split(`
        select ';', $$;$$, ";"; -- ;
        create rule r as on insert to t do also (select 1; select 2);
        create function f() returns int begin atomic
          select case when true then 1 end; select 2;
        end;;
        Commit`),
    ).toEqual([
      `select '…' , $…$ , ";"`,
      "create rule r as on insert to t do also ( select 1 ; select 2 )",
      "create function f ( ) returns int begin atomic select case when true then 1 end ; select 2 ; end",
      "commit",
    ]);
  });

  test("are reduced to lower-case words without the text of strings", () => {
    expect(split(`SET Search_Path = ''`)).toEqual(["set search_path = ''"]);
    expect(split(`comment on function "A".b() is 'set x'`)).toEqual([
      `comment on function "A".b ( ) is '…'`,
    ]);
  });
});

test("lineAt counts from 1", () => {
  expect([0, 1, 2, 4].map((offset) => lineAt("a\nb\n", offset))).toEqual([1, 1, 2, 3]);
});
