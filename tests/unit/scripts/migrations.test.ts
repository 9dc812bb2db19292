import { execSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  buildMigrations,
  CHECKSUMS,
  migrationProblems,
  readMigrations,
} from "../../../scripts/lib/migrations.js";
import { functionSource, makeSources, type Project } from "./project.js";

const FUNCTION = "sql/functions/core/f.sql";
const TABLE = "sql/tables/core/log.sql";
const DELTA = "20261127001100_core_0_2_0.sql";

const names = (project: Project) => readMigrations(project.root).map(({ name }) => name);

/** A project with a first release; `package.json` has the version that comes next. */
function releasedProject(): Project {
  const project = makeSources();
  buildMigrations(project.root);
  project.write("CHANGELOG.md", "## [Unreleased]\n\n## [0.1.0] - 2026-12-01\n");
  project.commit();
  project.tag("v0.1.0");
  project.write("package.json", '{"version": "0.2.0"}\n');
  return project;
}

describe("before the first release", () => {
  test("migrations are the install set, each a file of its layer", () => {
    const project = makeSources();
    expect(buildMigrations(project.root)).toHaveLength(10);
    expect(names(project).slice(0, 3)).toEqual([
      "20261127000100_core_roles_and_schemas.sql",
      "20261127000200_core_types.sql",
      "20261127000300_core_tables.sql",
    ]);
    expect(migrationProblems(project.root)).toEqual([]);
    expect(buildMigrations(project.root)).toEqual([]);
  });

  test("each holds its sources whole, between taking and giving back the owner's role", () => {
    const project = makeSources();
    buildMigrations(project.root);
    const functions = project.read("migrations/20261127000400_core_functions.sql");
    expect(functions).toMatch(/^set role pgtrail_owner;$/m);
    expect(functions).toContain(project.read(FUNCTION));
    expect(functions).toMatch(/\nreset role;\n$/);
    const jobs = project.read("migrations/20261127000500_core_jobs.sql");
    expect(jobs).not.toMatch(/^(re)?set role/m);
  });

  test("they are copied for the Supabase CLI and listed for sha256sum", () => {
    const project = makeSources();
    buildMigrations(project.root);
    expect(readdirSync(join(project.root, "supabase/migrations"))).toEqual(names(project));
    expect(project.read(CHECKSUMS).trim().split("\n")).toHaveLength(10);
    execSync(`sha256sum --check --strict --quiet ${CHECKSUMS}`, { cwd: project.root });
  });

  test.each<[string, (project: Project) => void, string]>([
    ["an edited source", (p) => p.write(FUNCTION, functionSource("g")), "core_functions"],
    [
      "an edited migration",
      (p) => p.write("migrations/20261127000500_core_jobs.sql", ""),
      "core_jobs",
    ],
    ["a missing one", (p) => p.remove("migrations/20261127000500_core_jobs.sql"), "core_jobs"],
    ["a surplus one", (p) => p.write("migrations/20270101000000_x.sql", ""), "20270101000000_x"],
    ["an edited list", (p) => p.write(CHECKSUMS, ""), "does not list the files as they are"],
  ])("%s is found, and a build mends it", (_name, change, found) => {
    const project = makeSources();
    buildMigrations(project.root);
    change(project);
    expect(migrationProblems(project.root).join("\n")).toContain(found);
    buildMigrations(project.root);
    expect(migrationProblems(project.root)).toEqual([]);
  });

  test("a source that no layer names is refused, and so is a layer's entry without a source", () => {
    const project = makeSources();
    project.write("sql/functions/elsewhere/f.sql", functionSource("f"));
    expect(() => buildMigrations(project.root)).toThrow("belongs to no migration");
    project.remove("sql/functions/elsewhere/f.sql");
    project.remove(TABLE);
    expect(() => buildMigrations(project.root)).toThrow(`there is no source in ${TABLE}`);
  });
});

describe("what a release had", () => {
  const FROZEN = "migrations/20261127000400_core_functions.sql";

  test.each<[string, (project: Project) => void]>([
    ["edited", (p) => p.write(FROZEN, `${p.read(FROZEN)}-- more\n`)],
    ["removed", (p) => p.remove(FROZEN)],
    [
      "renamed",
      (p) => {
        p.write(FROZEN.replace("functions", "routines"), p.read(FROZEN));
        p.remove(FROZEN);
      },
    ],
  ])("is missed when it is %s, and comes back as the hint says", (_name, change) => {
    const project = releasedProject();
    change(project);
    const problem = (() => {
      try {
        return migrationProblems(project.root);
      } catch (error) {
        return error as { message: string; hint: string };
      }
    })();
    expect(problem).toMatchObject({
      message: `${FROZEN} is not as v0.1.0 released it`,
      hint: expect.stringContaining("git checkout v0.1.0 -- migrations"),
    });
    expect(() => buildMigrations(project.root)).toThrow(FROZEN);

    execSync("git checkout --quiet v0.1.0 -- migrations", { cwd: project.root });
    buildMigrations(project.root);
    expect(migrationProblems(project.root)).toEqual([]);
    expect(names(project)).toHaveLength(10);
  });

  test("is frozen by the tag, whatever the list says now", () => {
    const project = releasedProject();
    project.write(FROZEN, "");
    project.write(CHECKSUMS, "");
    project.commit();
    expect(() => migrationProblems(project.root)).toThrow(FROZEN);
  });
});

describe("after a release", () => {
  test("nothing is built while nothing has changed, and a source may move", () => {
    const project = releasedProject();
    expect(buildMigrations(project.root)).toEqual([]);
    project.write("sql/functions/core/room/f.sql", project.read(FUNCTION));
    project.remove(FUNCTION);
    expect(buildMigrations(project.root)).toEqual([]);
  });

  test("the delta has what is written by hand, then the sources that differ, and nothing else", () => {
    const project = releasedProject();
    const changed = functionSource("f", "-- Changed.\n");
    project.write(FUNCTION, changed);
    project.write(TABLE, "create table pgtrail.t (a int, b int);\n");
    project.write("sql/changes/0.2.0/core.sql", "alter table pgtrail.t add column b int;\n");
    project.write("sql/changes/0.1.0/core.sql", "select 'of a release before';\n");
    expect(buildMigrations(project.root)).toEqual([DELTA]);
    expect(project.read(`migrations/${DELTA}`)).toBe(
      [
        "-- Made of sql/ by `npm run db:build`; never edited.\n",
        "set role pgtrail_owner;\n",
        "alter table pgtrail.t add column b int;\n",
        changed,
        "reset role;\n",
      ].join("\n"),
    );
    expect(migrationProblems(project.root)).toEqual([]);
  });

  test("each layer that differs has a delta of its own, for databases that stopped before it", () => {
    const project = releasedProject();
    project.write(FUNCTION, functionSource("f", "-- Changed.\n"));
    project.write("sql/changes/0.2.0/sync.sql", "alter table public.s add column b int;\n");
    expect(buildMigrations(project.root)).toEqual([DELTA, "20261127001200_sync_0_2_0.sql"]);
    expect(project.read(`migrations/${DELTA}`)).not.toContain("public.s");
    expect(migrationProblems(project.root)).toEqual([]);
  });

  test("the delta is built anew until it is released, and then is frozen too", () => {
    const project = releasedProject();
    project.write(FUNCTION, functionSource("f", "-- One.\n"));
    buildMigrations(project.root);
    project.write(FUNCTION, functionSource("f", "-- Two.\n"));
    expect(buildMigrations(project.root)).toEqual([DELTA]);
    project.write("CHANGELOG.md", "## [0.2.0] - 2027-01-01\n\n## [0.1.0] - 2026-12-01\n");
    project.commit();
    project.tag("v0.2.0");
    expect(migrationProblems(project.root)).toEqual([]);

    project.write("package.json", '{"version": "0.3.0"}\n');
    project.write(FUNCTION, functionSource("f", "-- Three.\n"));
    expect(buildMigrations(project.root)).toEqual(["20261127001200_core_0_3_0.sql"]);
    expect(project.read(`migrations/${DELTA}`)).toContain("-- Two.");
    project.write(`migrations/${DELTA}`, "");
    expect(() => migrationProblems(project.root)).toThrow(`${DELTA} is not as v0.2.0 released it`);
  });

  test("what has state cannot change without sql/changes/<version>/<layer>.sql", () => {
    const project = releasedProject();
    project.write(TABLE, "create table pgtrail.t (a int, b int);\n");
    expect(() => buildMigrations(project.root)).toThrow(`${TABLE} has state`);
    expect(() => migrationProblems(project.root)).toThrow(
      expect.objectContaining({ hint: expect.stringContaining("into sql/changes/0.2.0/core.sql") }),
    );
    expect(names(project)).toHaveLength(10);
  });

  test("nothing can change under the version that was released", () => {
    const project = releasedProject();
    project.write("package.json", '{"version": "0.1.0"}\n');
    expect(buildMigrations(project.root)).toEqual([]);
    project.write(FUNCTION, functionSource("f", "-- One.\n"));
    expect(() => buildMigrations(project.root)).toThrow("has changed since v0.1.0 was released");
  });
});

describe("a release that git does not know", () => {
  test("is said, whether it knows none or an older one, and nothing is written", () => {
    const project = releasedProject();
    project.write("CHANGELOG.md", "## [0.2.0] - 2027-01-01\n\n## [0.1.0] - 2026-12-01\n");
    project.write(FUNCTION, functionSource("f", "-- One.\n"));
    expect(() => buildMigrations(project.root)).toThrow("0.2.0 in CHANGELOG.md, and v0.1.0 to git");
    execSync("git tag --delete v0.1.0", { cwd: project.root });
    expect(() => migrationProblems(project.root)).toThrow(
      expect.objectContaining({
        message: expect.stringContaining("0.2.0 in CHANGELOG.md, and unknown to git"),
        hint: expect.stringContaining("Fetch the tags"),
      }),
    );
    expect(names(project)).toHaveLength(10);
  });

  test("does not matter to a changelog that names none", () => {
    const project = makeSources();
    project.write("CHANGELOG.md", "## [Unreleased]\n");
    expect(buildMigrations(project.root)).toHaveLength(10);
  });
});
