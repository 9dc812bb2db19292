/** Keeps the rooms of src/ in order: what may import what, and who may know the domain. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { projectRoot } from "../../scripts/lib/files.js";

/** The rooms from the ground up. Each imports from lower floors only, and none from its own. */
const FLOORS = [
  ["errors", "verify"],
  ["cluster", "database", "signing", "system", "writer"],
  ["doctor", "edge", "replay", "reporters", "worker"],
  ["domain"],
  ["demo"],
  ["commands"],
  ["cli.ts", "index.ts"],
];

/** The rooms that know what is audited here. Every other one serves any application. */
const KNOW_THE_DOMAIN = ["domain", "demo", "commands", "cli.ts", "index.ts"];

/** Generated from every table and function, those of the domain among them. */
const GENERATED = "database/types.ts";

const DOMAIN_WORDS = /^(?:badge|hlf|mentor|certificate|acknowledgement|coordinator)s?$/i;

const source = join(projectRoot, "src");

/** What each file of src imports from src, by path from there. */
const imports = new Map<string, string[]>();
for (const path of readdirSync(source, { recursive: true, encoding: "utf8" })) {
  if (!path.endsWith(".ts")) continue;
  const text = readFileSync(join(source, path), "utf8");
  const found = text.matchAll(/\b(?:from|import|import\() ?"(\.[^"]+)\.js"/g);
  imports.set(
    path,
    [...found].map(([, specifier]) => `${join(dirname(path), `${specifier}`)}.ts`),
  );
}

const roomOf = (path: string) => path.replace(/\/.*/, "");
const floorOf = (path: string) => FLOORS.findIndex((rooms) => rooms.includes(roomOf(path)));

/** Words of a text, also those within names: `peer_mentor_id` and `startBadge`. */
function wordsOf(text: string): string[] {
  return text.match(/[A-Z]?[a-z]+|[A-Z]+(?![a-z])/g) ?? [];
}

/** Files that import each other, beginning and ending with the same; undefined when there are none. */
function circle(): string[] | undefined {
  const clear = new Set<string>();
  const from = (path: string, way: readonly string[]): string[] | undefined => {
    if (way.includes(path)) return [...way.slice(way.indexOf(path)), path];
    if (clear.has(path)) return undefined;
    for (const next of imports.get(path) ?? []) {
      const found = from(next, [...way, path]);
      if (found) return found;
    }
    clear.add(path);
    return undefined;
  };
  for (const path of imports.keys()) {
    const found = from(path, []);
    if (found) return found;
  }
  return undefined;
}

test("every room has its floor, and src holds nothing but rooms and the two entries", () => {
  expect([...new Set([...imports.keys()].map(roomOf))].sort()).toEqual(FLOORS.flat().sort());
});

test("the imports are read", () => {
  expect(imports.get("commands/seal.ts")).toContain("commands/with_log.ts");
  for (const path of [...imports.values()].flat()) expect(imports.has(path), path).toBe(true);
});

describe("imports", () => {
  const arrows = [...imports].flatMap(([path, imported]) => imported.map((to) => ({ path, to })));

  test("go to lower floors, or stay in their room", () => {
    const upwards = arrows.filter(
      ({ path, to }) => roomOf(path) !== roomOf(to) && floorOf(path) <= floorOf(to),
    );
    expect(upwards.map(({ path, to }) => `${path} -> ${to}`)).toEqual([]);
  });

  test("make no circle", () => {
    expect(circle()).toBeUndefined();
  });

  test("of commands are cli.ts's alone", () => {
    const users = arrows.filter(
      ({ path, to }) => roomOf(to) === "commands" && roomOf(path) !== "commands",
    );
    expect([...new Set(users.map(({ path }) => path))]).toEqual(["cli.ts"]);
  });
});

describe("the domain", () => {
  test("is found in the names of code", () => {
    const text = "isDocumentOrNull(peer_mentor_id, startBadges, HLFSync, badge) // Certificate";
    const found = wordsOf(text).filter((word) => DOMAIN_WORDS.test(word));
    expect(found).toEqual(["mentor", "Badges", "HLF", "badge", "Certificate"]);
  });

  test("is unknown to every other room", () => {
    const generic = [...imports.keys()].filter(
      (path) => !KNOW_THE_DOMAIN.includes(roomOf(path)) && path !== GENERATED,
    );
    const knowing = generic.flatMap((path) => {
      const words = wordsOf(readFileSync(join(source, path), "utf8"));
      return words.filter((word) => DOMAIN_WORDS.test(word)).map((word) => `${path}: ${word}`);
    });
    expect(knowing).toEqual([]);
  });
});
