import { readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { expect, test } from "vitest";
import { projectRoot } from "../../scripts/lib/files.js";

test.each(["src", "tests", "bench", "scripts"])(
  "TypeScript files in %s are named in snake_case",
  (folder) => {
    const paths = readdirSync(join(projectRoot, folder), { recursive: true, encoding: "utf8" });
    const names = paths.filter((path) => path.endsWith(".ts")).map((path) => basename(path));
    expect(names.length).toBeGreaterThan(10);
    expect(names.filter((name) => !/^[a-z0-9]+(?:_[a-z0-9]+)*(?:\.test)?\.ts$/.test(name))).toEqual(
      [],
    );
  },
);
