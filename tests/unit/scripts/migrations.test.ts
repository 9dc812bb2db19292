import { describe, expect, test } from "vitest";
import { lintMigration } from "../../../scripts/lib/lint.js";
import { writeNewMigration } from "../../../scripts/lib/migrations.js";
import { makeProject } from "./project.js";

const NOON = new Date("2026-03-04T12:00:00.789Z");

describe("writeNewMigration", () => {
  test("names the migration after the time in UTC and frames it", () => {
    const project = makeProject({ "migrations/20260101000000_create_core.sql": "" });
    expect(writeNewMigration(project.root, "add_x", NOON)).toBe("20260304120000_add_x.sql");
    expect(project.read("migrations/20260304120000_add_x.sql")).toBe(
      "set role pgtrail_owner;\n\n\nreset role;\n",
    );
  });

  test("is later than a migration from the future", () => {
    const project = makeProject({ "migrations/20261231235959_create_core.sql": "" });
    expect(writeNewMigration(project.root, "add_x", NOON)).toBe("20270101000000_add_x.sql");
  });

  test("gives the first migration no frame, for it creates the role", () => {
    const project = makeProject();
    const name = writeNewMigration(project.root, "create_core", NOON);
    expect(project.read(`migrations/${name}`)).not.toContain("set role");
  });

  test("leaves a file that the lints refuse until it has statements", () => {
    const project = makeProject({ "migrations/20260101000000_create_core.sql": "" });
    const path = `migrations/${writeNewMigration(project.root, "add_x", NOON)}`;
    const rules = lintMigration(path, project.read(path), false).map(({ rule }) => rule);
    expect(rules).toEqual(["empty-migration"]);
  });

  test.each(["Add", "add-x", "", "../x", "replay_x"])("refuses the name %j", (label) => {
    const project = makeProject();
    expect(() => writeNewMigration(project.root, label, NOON)).toThrow();
  });

  test("refuses to follow a migration whose name begins with no time", () => {
    const project = makeProject({ "migrations/20261399000000_create_core.sql": "" });
    expect(() => writeNewMigration(project.root, "add_x", NOON)).toThrow(
      "does not begin with a time",
    );
  });
});
