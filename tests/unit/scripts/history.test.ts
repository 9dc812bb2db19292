import { describe, expect, test } from "vitest";
import { sha256 } from "../../../scripts/lib/files.js";
import { historyProblems, sync } from "../../../scripts/lib/history.js";
import { makeProject } from "./project.js";

const FIRST = "20260101000000_create_core.sql";
const SECOND = "20260102000000_replay_core.sql";

const synced = () => {
  const project = makeProject({ [`migrations/${FIRST}`]: "1\n", [`migrations/${SECOND}`]: "2\n" });
  sync(project.root);
  return project;
};

const landed = () => {
  const project = synced();
  project.commit();
  return project;
};

describe("sync", () => {
  test("lists the migrations for sha256sum and copies them", () => {
    const project = synced();
    expect(project.read("migrations.sha256")).toBe(
      `${sha256("1\n")}  ${FIRST}\n${sha256("2\n")}  ${SECOND}\n`,
    );
    expect(project.read(`supabase/migrations/${SECOND}`)).toBe("2\n");
    expect(historyProblems(project.root)).toEqual([]);
  });

  test("follows changes of what has not landed, and removes stale copies", () => {
    const project = synced();
    project.write(`migrations/${FIRST}`, "1 again\n");
    project.remove(`migrations/${SECOND}`);
    expect(sync(project.root)).toBe(1);
    expect(() => project.read(`supabase/migrations/${SECOND}`)).toThrow("ENOENT");
    expect(historyProblems(project.root)).toEqual([]);
  });

  test("refuses to change what has landed, and writes nothing", () => {
    const project = landed();
    project.write(`migrations/${FIRST}`, "tampered\n");
    const before = project.read("migrations.sha256");
    expect(() => sync(project.root)).toThrow(`${FIRST} has landed and was changed`);
    expect(project.read("migrations.sha256")).toBe(before);
    expect(project.read(`supabase/migrations/${FIRST}`)).toBe("1\n");
  });

  test("refuses to forget what has landed", () => {
    const project = landed();
    project.remove(`migrations/${SECOND}`);
    expect(() => sync(project.root)).toThrow(`${SECOND} has landed and is gone`);
  });

  test("refuses a new migration that sorts before a landed one", () => {
    const project = landed();
    project.write("migrations/20260101120000_x.sql", "x\n");
    expect(() => sync(project.root)).toThrow("20260101120000_x.sql is new and sorts before");
  });

  test("appends what is new", () => {
    const project = landed();
    project.write("migrations/20260103000000_x.sql", "x\n");
    sync(project.root);
    expect(historyProblems(project.root)).toEqual([]);
  });
});

describe("historyProblems", () => {
  test("finds a landed migration changed, though checksums and copy were changed with it", () => {
    const project = landed();
    project.write(`migrations/${FIRST}`, "tampered\n");
    project.write(`supabase/migrations/${FIRST}`, "tampered\n");
    project.write(
      "migrations.sha256",
      `${sha256("tampered\n")}  ${FIRST}\n${sha256("2\n")}  ${SECOND}\n`,
    );
    expect(historyProblems(project.root)).toEqual([`${FIRST} has landed and was changed`]);
  });

  test("compares with any commit, such as the one that a branch began at", () => {
    const project = landed();
    project.write(`migrations/${FIRST}`, "tampered\n");
    project.write(`supabase/migrations/${FIRST}`, "tampered\n");
    project.write(
      "migrations.sha256",
      `${sha256("tampered\n")}  ${FIRST}\n${sha256("2\n")}  ${SECOND}\n`,
    );
    project.commit();
    expect(historyProblems(project.root)).toEqual([]);
    expect(historyProblems(project.root, "HEAD~1")).toEqual([
      `${FIRST} has landed and was changed`,
    ]);
    expect(() => historyProblems(project.root, "nowhere")).toThrow('no commit "nowhere"');
  });

  test("finds a landed migration gone", () => {
    const project = landed();
    project.remove(`migrations/${SECOND}`);
    expect(historyProblems(project.root)).toContain(`${SECOND} has landed and is gone`);
  });

  test("finds what migrations.sha256 does not list as it is", () => {
    const project = synced();
    project.write(`migrations/${FIRST}`, "tampered\n");
    expect(historyProblems(project.root)).toEqual([
      "migrations.sha256 does not list the migrations as they are",
      `+ ${sha256("tampered\n")}  ${FIRST}`,
      `- ${sha256("1\n")}  ${FIRST}`,
      `supabase/migrations/${FIRST} differs from its original in migrations/`,
    ]);
  });

  test("finds migrations.sha256 in another order", () => {
    const project = synced();
    const [first, second] = project.read("migrations.sha256").trim().split("\n");
    project.write("migrations.sha256", `${second}\n${first}\n`);
    expect(historyProblems(project.root)).toEqual([
      "migrations.sha256 does not list the migrations as they are",
    ]);
  });

  test("finds missing and surplus copies", () => {
    const project = synced();
    project.remove(`supabase/migrations/${FIRST}`);
    project.write("supabase/migrations/20260101000001_x.sql", "x\n");
    expect(historyProblems(project.root)).toEqual([
      "supabase/migrations/20260101000001_x.sql has no original in migrations/",
      `supabase/migrations/${FIRST} is missing`,
    ]);
  });

  test.each([
    ["20260103000000_Upper.sql", "is not named"],
    ["20260103000000123_long.sql", "is not named"],
    ["1_short.sql", "is not named"],
    ["more/20260103000000_x.sql", "is not named"],
    ["20260102000000_x.sql", "has the time of the migration before it"],
  ])("finds the name %s, which the runners would not order alike; sync refuses it", (name, why) => {
    const project = synced();
    project.write(`migrations/${name}`, "x\n");
    expect(historyProblems(project.root)).toContainEqual(expect.stringContaining(`${name} ${why}`));
    expect(() => sync(project.root)).toThrow(`${name} ${why}`);
  });
});
