import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { projectRoot, sqlFiles } from "../../scripts/lib/files.js";
import * as pgtrail from "../../src/index.js";

const { PGTRAIL_ERRORS, UserError } = pgtrail;

describe("pgtrail's own SQLSTATEs", () => {
  const known = Object.keys(PGTRAIL_ERRORS).sort();

  function raisedIn(folder: string): string[] {
    return sqlFiles(join(projectRoot, folder)).flatMap((file) => {
      const text = readFileSync(join(projectRoot, folder, file), "utf8");
      return [...text.matchAll(/'(TR\d{3})'/g)].map(([, code]) => code as string);
    });
  }

  test("are those that sql/ and migrations/ raise", () => {
    const raised = new Set([...raisedIn("sql"), ...raisedIn("migrations")]);
    expect([...raised].sort()).toEqual(known);
  });

  test("are in docs/errors.md, with the same meaning", () => {
    const text = readFileSync(join(projectRoot, "docs", "errors.md"), "utf8");
    const rows = [...text.matchAll(/^\| `(TR\d{3})` \| [^|]+ \| ([^|:]+)/gm)];
    expect(Object.fromEntries(rows.map(([, code, meaning]) => [code, meaning?.trim()]))).toEqual(
      PGTRAIL_ERRORS,
    );
    expect(new Set(text.match(/\bTR\d{3}\b/g))).toEqual(new Set(known));
  });
});

describe("UserError", () => {
  test("carries what the command line shows and the exit code", () => {
    const cause = new Error("connect ECONNREFUSED");
    const error = new UserError("no Postgres listens at localhost:5432", {
      hint: "Start it.",
      exitCode: 2,
      cause,
    });
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({
      name: "UserError",
      message: "no Postgres listens at localhost:5432",
      hint: "Start it.",
      exitCode: 2,
      cause,
    });
  });

  test("means exit code 1, without hint and cause, unless told otherwise", () => {
    const error = new UserError("something is wrong");
    expect(error.exitCode).toBe(1);
    expect(error.hint).toBeUndefined();
    expect("cause" in error).toBe(false);
  });
});

test("the package exports what its entry says, and nothing else", () => {
  expect(Object.keys(pgtrail).sort()).toEqual([
    "AuditAction",
    "AuditWriteError",
    "PGTRAIL_ERRORS",
    "PLATFORM_ORGANISATION",
    "UserError",
    "createAuditWriter",
    "migrate",
    "migrationsDirectory",
    "openSpool",
    "pgTransport",
    "postgrestTransport",
  ]);
});
