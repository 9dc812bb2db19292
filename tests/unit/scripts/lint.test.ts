import { describe, expect, test } from "vitest";
import {
  formatFinding,
  lintMigration,
  lintProject,
  lintSource,
} from "../../../scripts/lib/lint.js";
import { framed } from "../../../scripts/lib/migrations.js";
import { functionSource, makeProject } from "./project.js";

const migration = (text: string, isFirst = false) =>
  lintMigration("migrations/m.sql", text, isFirst).map(({ line, rule }) => `${line} ${rule}`);
const source = (text: string, path = "sql/views/v.sql") =>
  lintSource(path, text).map(({ line, rule }) => `${line} ${rule}`);
const func = (text: string) => source(text, "sql/functions/core/f.sql");

describe("migrations", () => {
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
    [
      "session-setting",
      "set role other;",
      "alter function f() set search_path = pg_catalog, pg_temp;",
    ],
    ["session-setting", "reset all;", "update t set a = 1;"],
    ["session-setting", "discard all;", "set constraints all deferred;"],
  ])("%s: %j is refused, %j is not", (rule, bad, good) => {
    expect(migration(framed(bad)).map((found) => found.split(" ")[1])).toContain(rule);
    expect(migration(framed(good))).toEqual([]);
  });

  test("finds the marker wherever node-pg-migrate does, on the line of the comment", () => {
    expect(migration(framed("select 1;\n\n  -- up Migration of x"))).toEqual([
      "5 migration-marker",
    ]);
  });

  test("a migration begins with set role and ends with reset role", () => {
    const frame = ["set role pgtrail_owner;", "create table t ();", "reset role;"];
    expect(migration(frame.join("\n"))).toEqual([]);
    expect(migration(`/* why */ ${frame.join("-- why\n")} -- end`)).toEqual([]);
    expect(migration(frame.slice(0, 2).join("\n"))).toEqual(["2 frame"]);
    expect(migration(frame.slice(1).join("\n"))).toEqual(["1 frame"]);
    expect(migration(`${frame.join("\n")}\nselect 1;`)).toEqual(["4 frame"]);
  });

  test("only jobs are scheduled as the migrating role, and nothing beside that", () => {
    const schedule = "select * from pgtrail.schedule_jobs();";
    expect(migration(schedule)).toEqual([]);
    expect(migration(`${schedule}\nselect 1;`)).toEqual(["1 frame"]);
  });

  test("the first migration creates the role before it takes it, but gives it back as well", () => {
    const text = "create role pgtrail_owner;\nset role pgtrail_owner;\nselect 1;\n";
    expect(migration(`${text}reset role;\n`, true)).toEqual([]);
    expect(migration(`${text}reset role;\n`, false)).toEqual(["1 frame"]);
    expect(migration(text, true)).toEqual(["3 frame"]);
    expect(migration("create role pgtrail_owner;\n", true)).toEqual([]);
  });
});

describe("sources", () => {
  test.each([
    ["session-setting", "set role pgtrail_owner;\n", "set local work_mem = '1MB';\n"],
    ["session-setting", "reset role;\n", "select 'reset role';\n"],
    ["migration-marker", "-- up migration\n", "-- going up\n"],
    ["transaction", "begin;\n", "do $$ begin end $$;\n"],
    ["tab", "\tselect 1;\n", "    select 1;\n"],
    ["trailing-blank", "select 1; \n", "select 1;\n\n"],
    ["trailing-blank", "select 1;\r\n", "select 1;\n"],
    ["final-newline", "select 1;", "select 1;\n"],
    ["line-length", `--${"x".repeat(119)}\n`, `--${"x".repeat(118)}\n`],
    ["lower-case", "SELECT 1;\n", "select 'SELECT', \"SELECT\"; -- SELECT\n"],
    ["lower-case", "select Now();\n", "select now(), 1E6, E'', U&\"X\";\n"],
    ["lower-case", "do $$ BEGIN end $$;\n", "do $$ begin perform 'BEGIN'; end $$;\n"],
  ])("%s: %j is refused, %j is not", (rule, bad, good) => {
    expect(source(bad)).toEqual([`1 ${rule}`]);
    expect(source(good)).toEqual([]);
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

test("lintProject reads both folders, and knows the first migration", () => {
  const project = makeProject({
    "migrations/20260101000000_a.sql": "create role pgtrail_owner;\n",
    "migrations/20260102000000_b.sql": "select 1;\n",
    "sql/functions/core/f.sql": functionSource("g"),
  });
  expect(lintProject(project.root).map(formatFinding)).toEqual([
    'migrations/20260102000000_b.sql:1: frame: the first statement must be "set role pgtrail_owner;"',
    "sql/functions/core/f.sql:1: file-name: makes g: name the file g.sql",
  ]);
});
