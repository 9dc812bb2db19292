import { describe, expect, test } from "vitest";
import { check, differences } from "../../../scripts/lib/check.js";
import { withoutVersions } from "../../../scripts/lib/dump.js";
import { buildMigrations } from "../../../scripts/lib/migrations.js";
import { functionSource, makeSources, type Project } from "./project.js";

const F = "sql/functions/core/f.sql";

function soundProject(): Project {
  const project = makeSources();
  buildMigrations(project.root);
  return project;
}

async function textGates(project: Project) {
  const results = [];
  for await (const result of check(project.root, true)) results.push(result);
  return results;
}

const failures = async (project: Project) =>
  (await textGates(project)).filter(({ status }) => status === "FAILED").map(({ gate }) => gate);

describe("check", () => {
  test("passes a sound project through every gate that needs no database", async () => {
    const results = await textGates(soundProject());
    expect(results.map(({ gate, status }) => [gate, status])).toEqual([
      ["text", "ok"],
      ["build", "ok"],
      ["squawk", "ok"],
    ]);
  });

  test("text fails on a broken rule", async () => {
    const project = soundProject();
    project.write(F, functionSource("g"));
    buildMigrations(project.root);
    expect(await failures(project)).toEqual(["text"]);
  });

  test("build fails on a source that was not built", async () => {
    const project = soundProject();
    project.write(F, functionSource("f", "-- One.\n"));
    expect(await failures(project)).toEqual(["build"]);
  });

  test("build fails, with a remedy, on a source that cannot be built", async () => {
    const project = soundProject();
    project.write("sql/functions/f.sql", functionSource("f"));
    const [, build] = await textGates(project);
    expect(build).toMatchObject({ status: "FAILED", remedy: expect.stringContaining("move it") });
  });

  test("squawk fails on a hand-written change that blocks writers", async () => {
    const project = soundProject();
    project.write(
      "sql/changes/0.2.0/core.sql",
      "alter table pgtrail.t add constraint t_pkey primary key (id);\n",
    );
    const squawk = (await textGates(project)).find(({ gate }) => gate === "squawk");
    expect(squawk?.problems.join()).toMatch(/0\.2\.0\/core\.sql:\d+:\d+/);
  });
});

test("withoutVersions drops what differs between two runs of pg_dump, and nothing else", () => {
  const dump = (key: string, version: string) => `--
-- PostgreSQL database dump
--

\\restrict ${key}

-- Dumped from database version ${version}
-- Dumped by pg_dump version ${version}

CREATE SCHEMA pgtrail;

\\unrestrict ${key}
`;
  expect(withoutVersions(dump("abc", "15.1"))).toBe(
    "--\n-- PostgreSQL database dump\n--\n\n\n\nCREATE SCHEMA pgtrail;\n\n",
  );
  expect(withoutVersions(dump("abc", "15.1"))).toBe(withoutVersions(dump("xyz", "15.2")));
});

describe("differences", () => {
  test("are the lines that only one of two texts has", () => {
    expect(differences("a\nb\n", "a\nb\n", "x")).toEqual([]);
    expect(differences("a\nb\n", "a\nc\n", "x")).toEqual(["x lacks b", "x has   c"]);
    expect(differences("a\nb", "b\na", "x")).toEqual(["x has the same lines in another order"]);
  });

  test("of two dumps are in the objects that they name", () => {
    const object = (name: string, body: string) =>
      `-- Name: ${name}; Type: TABLE; Schema: pgtrail; Owner: o\n${body}\n`;
    const dump = (...objects: string[]) => `-- head\n${objects.join("")}`;
    expect(
      differences(
        dump(object("t", "  a int"), object("u", "a\nb"), object("v", "a")),
        dump(object("t", "  a bigint"), object("u", "b\na"), object("w", "a")),
        "x",
      ),
    ).toEqual([
      "x lacks a int, in TABLE pgtrail.t",
      "x has   a bigint, in TABLE pgtrail.t",
      "x has the same lines in another order, in TABLE pgtrail.u",
      "x lacks TABLE pgtrail.v",
      "x has   TABLE pgtrail.w",
    ]);
  });
});
