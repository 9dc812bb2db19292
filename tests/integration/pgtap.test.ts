import { readdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { useDatabase } from "../harness/index.js";
import { runTap } from "../harness/tap.js";

const database = useDatabase();
const folder = fileURLToPath(new URL("../pgtap/", import.meta.url));

describe("pgTAP", () => {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".test.sql"))
    .sort();

  test("there are files to run", () => {
    expect(files).not.toEqual([]);
  });

  test.each(files)("%s", async (file) => {
    const { problems } = await runTap(database.url(), await readFile(join(folder, file), "utf8"));
    if (problems.length > 0) expect.fail(problems.join("\n"));
  });
});

describe("the runner goes red", () => {
  test("on a failing assertion, with its diagnostics", async () => {
    const { problems } = await run(
      "select plan(2); select pass('a'); select is(1, 2, 'one is two');",
    );
    expect(problems.join("\n")).toMatch(/^not ok 2 - one is two\n# Failed test 2.*\n#\s+have: 1/);
  });

  test("on an SQL error, and tells how far the file came", async () => {
    const { assertions, problems } = await run("select plan(2); select pass('a'); select 1 / 0;");
    expect(assertions).toBe(1);
    expect(problems[0]).toBe("SQL error 22012: division by zero");
    expect(problems).toContain("incorrect number of tests");
  });

  test("on more assertions than planned", async () => {
    const { problems } = await run("select plan(1); select pass('a'); select pass('b');");
    expect(problems).toContain("id greater than plan end");
  });

  test("on fewer assertions than planned", async () => {
    const { problems } = await run("select plan(2); select pass('a');");
    expect(problems).toContain("# Looks like you planned 2 tests but ran 1");
  });

  test("without a plan", async () => {
    const { problems } = await run("select 'ok 1 - a';");
    expect(problems).toContain("no plan");
  });

  test("without an assertion", async () => {
    const { problems } = await run("select plan(0);");
    expect(problems).toContain("no assertion ran");
  });

  test("on a to-do that fails", async () => {
    const { problems } = await run("select plan(1); select todo(1, 'later'); select fail('a');");
    expect(problems).toContain("not ok 1 - a");
  });
});

test("the runner is green when every planned assertion holds", async () => {
  expect(await run("select plan(2); select pass('a'); select is(1, 1, 'b');")).toEqual({
    assertions: 2,
    problems: [],
  });
});

function run(statements: string) {
  return runTap(database.url(), `begin; ${statements} select * from finish(); rollback;`);
}
