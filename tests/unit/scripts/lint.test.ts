import { describe, expect, test } from "vitest";
import { formatFinding, lintProject, lintSource } from "../../../scripts/lib/lint.js";
import { functionSource, makeProject } from "./project.js";

const source = (text: string, path = "sql/tables/t.sql") =>
  lintSource(path, text).map(({ line, rule }) => `${line} ${rule}`);
const func = (text: string) => source(text, "sql/functions/core/f.sql");

describe("sources", () => {
  test.each([
    ["migration-marker", "-- Up Migration\nselect 1;", "-- the upward migration\nselect 1;"],
    ["migration-marker", "do $$\n--- - down  migration $$;", "do $$ -- download migration\n $$;"],
    ["migration-marker", "-- \n up migration", "select 1; -- up migration"],
    ["psql-command", "\\set x 1\nselect 1;", "select '\\', E'\\\\', $$\\d$$;"],
    ["unterminated", "select 'x;", "select 'x''';"],
    ["transaction", "BEGIN;", "do $$ begin end $$;"],
    ["transaction", "commit;", "select 'commit;';"],
    ["transaction", "start transaction;", "-- commit;\nselect 1;"],
    ["transaction", "rollback to x;", 'select "rollback";'],
    ["concurrently", "create unique index concurrently i on t (a);", "create index i on t (a);"],
    ["concurrently", "drop index concurrently i;", "refresh materialized view concurrently v;"],
    ["session-setting", "set search_path = pg_catalog, pg_temp;", "set local lock_timeout = '1s';"],
    ["session-setting", "set role x;", "alter function f() set search_path = pg_catalog;"],
    ["session-setting", "reset all;", "update t set a = 1;"],
    ["session-setting", "reset role;", "select 'reset role';"],
    ["session-setting", "discard all;", "set constraints all deferred;"],
    ["tab", "\tselect 1;", "    select 1;"],
    ["trailing-blank", "select 1; ", "select 1;\n"],
    ["trailing-blank", "select 1;\r", "select 1;"],
    ["line-length", `--${"x".repeat(119)}`, `--${"x".repeat(118)}`],
    ["lower-case", "SELECT 1;", "select 'SELECT', \"SELECT\"; -- SELECT"],
    ["lower-case", "select Now();", "select now(), 1E6, E'', U&\"X\";"],
    ["lower-case", "do $$ BEGIN end $$;", "do $$ begin perform 'BEGIN'; end $$;"],
    ["raise", "do $$ begin raise 'a'; end $$;", "do $$ begin raise notice 'a'; end $$;"],
  ])("%s: %j is refused, %j is not", (rule, bad, good) => {
    expect(source(`${bad}\n`).map((found) => found.split(" ")[1])).toContain(rule);
    expect(source(`${good}\n`)).toEqual([]);
  });

  test("end with a newline", () => {
    expect(source("select 1;")).toEqual(["1 final-newline"]);
  });

  test("find the marker wherever node-pg-migrate does, on the line of the comment", () => {
    expect(source("select 1;\n\n  -- up Migration of x\n")).toEqual(["3 migration-marker"]);
  });

  test("finds upper case in a body on its own line, but not in NEW, OLD and TG_OP", () => {
    const text = functionSource("f").replace(
      "select 1;",
      "select NEW.a, OLD.a, TG_OP;\n    RETURN x;",
    );
    expect(func(text)).toEqual(["7 lower-case"]);
  });
});

describe("functions", () => {
  test("one that keeps every rule", () => {
    expect(func(functionSource("f"))).toEqual([]);
    expect(func(functionSource("f").replaceAll("function", "procedure"))).toEqual([]);
    expect(func(functionSource("f").replaceAll("pgtrail.f", 'pgtrail."f"'))).toEqual([]);
  });

  test.each(["return 1", "begin atomic\n    select 1;\nend"])(
    "one whose body is parsed when it is made needs no search_path: %j",
    (body) => {
      const text = functionSource("f").replace(/ {4}set search_path[\s\S]*?\$\$;/, `${body};`);
      expect(text).toContain(body);
      expect(func(text)).toEqual([]);
    },
  );

  test("one of which only the name says return does", () => {
    const text = functionSource("f").replace("f()\n", "f(return_ int)\n");
    expect(func(text.replace(/ {4}set search_path.*\n/, ""))).toEqual(["1 search-path"]);
  });

  test.each<[string, (text: string) => string]>([
    ["one-function", (text) => text.replace("function pgtrail.f()", "view pgtrail.f")],
    ["one-function", (text) => text + text],
    ["replayable", (text) => text.replace("create or replace", "create")],
    ["file-name", (text) => text.replaceAll("pgtrail.f", "pgtrail.g")],
    ["file-name", (text) => text.replaceAll("pgtrail.f", "f.g")],
    ["search-path", (text) => text.replace("    set search_path = pg_catalog, pg_temp\n", "")],
    [
      "search-path",
      (text) => text.replace("search_path = pg_catalog, pg_temp", "search_path = ''"),
    ],
    [
      "search-path",
      (text) => text.replace(/(set search_path = pg_catalog, pg_temp)\n(as ..)/, "$2 $1"),
    ],
    ["revoke", (text) => text.replace(/^revoke.*$/m, "")],
    ["revoke", (text) => text.replace("from public, anon", "from anon")],
    [
      "revoke",
      (text) => text.replace("revoke all on function pgtrail.f", "revoke all on function f"),
    ],
    ["revoke", (text) => `${text.match(/^revoke.*$/m)?.[0]}\n${text.replace(/^revoke.*$/m, "")}`],
    ["comment", (text) => text.replace(/^comment.*$/m, "")],
    [
      "comment",
      (text) => text.replace("comment on function pgtrail.f", "comment on function pgtrail.ff"),
    ],
  ])("%s: refused when broken", (rule, breakIt) => {
    const broken = breakIt(functionSource("f"));
    expect(broken).not.toBe(functionSource("f"));
    expect(func(broken).map((found) => found.split(" ")[1])).toContain(rule);
  });

  const raising = (raise: string) => func(functionSource("f").replace("select 1;", `${raise};`));

  test.each([
    "raise exception 'a' using errcode = 'TR001'",
    "raise exception 'a' using hint = 'Do b.'",
    "raise exception 'errcode = hint =' using detail = 'x'",
    "raise 'a' using errcode = 'TR001'",
    "raise unique_violation using message = 'a'",
    "if x then raise sqlstate 'TR001'; end if",
    "raise exception using errcode = '22023', message = 'hint = x'; raise using hint = 'Do b.'",
  ])("raise: %s is refused", (raise) => {
    expect(raising(raise)).toContain("6 raise");
  });

  test.each([
    "raise exception '%; hint', x using errcode = 'TR001', hint = 'Do b.'",
    "raise exception 'a' using errcode := '22023', detail = f(x), hint := format('%s', y)",
    "raise unique_violation using hint = 'Do b.'",
    "raise notice 'a'; raise warning 'b'; raise debug 'c'",
    "exception when others then raise",
    "perform 'raise exception'; -- raise exception",
  ])("raise: %s is not", (raise) => {
    expect(raising(raise)).toEqual([]);
  });
});

describe("policies", () => {
  const policy = (text: string) => source(text, "sql/policies/audit_log.sql");
  const create = "create policy select_member on public.audit_log using (true);\n";

  test("are dropped before they are created", () => {
    expect(policy(`drop policy if exists select_member on public.audit_log;\n${create}`)).toEqual(
      [],
    );
    expect(policy(create)).toEqual(["1 drop-policy"]);
    expect(policy(`${create}drop policy if exists select_member on public.audit_log;\n`)).toEqual([
      "1 drop-policy",
    ]);
    expect(policy(`drop policy if exists select_member on public.other;\n${create}`)).toEqual([
      "2 drop-policy",
    ]);
    expect(policy(`drop policy select_member on public.audit_log;\n${create}`)).toEqual([
      "2 drop-policy",
    ]);
  });
});

test("lintProject reads all of sql/", () => {
  const project = makeProject({
    "sql/changes/0.2.0/core.sql": "commit;\n",
    "sql/functions/core/f.sql": functionSource("g"),
  });
  expect(lintProject(project.root).map(formatFinding)).toEqual([
    "sql/changes/0.2.0/core.sql:1: transaction: the runner opens and closes the transaction: remove it",
    "sql/functions/core/f.sql:1: file-name: makes g: name the file g.sql",
  ]);
});
