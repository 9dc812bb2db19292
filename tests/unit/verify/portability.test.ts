import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const root = new URL("../../..", import.meta.url).pathname;
const library = join(root, "src/verify");

test("pgtrail/verify imports nothing but itself", () => {
  for (const file of readdirSync(library)) {
    const source = readFileSync(join(library, file), "utf8");
    for (const [, imported = ""] of source.matchAll(/\b(?:from|import) "([^"]+)"/g)) {
      expect(imported, file).toMatch(/^\.\/\w+\.js$/);
    }
    expect(source, file).not.toMatch(/\b(require|import)\(/);
  }
});

test("pgtrail/verify uses what a browser has and nothing of Node's", async () => {
  const directory = await mkdtemp(join(tmpdir(), "pgtrail-test-"));
  const config = {
    extends: join(root, "tsconfig.json"),
    compilerOptions: { noEmit: true, types: [], lib: ["es2023", "dom"], rootDir: library },
    include: [library],
  };
  await writeFile(join(directory, "tsconfig.json"), JSON.stringify(config));
  const tsc = join(root, "node_modules/.bin/tsc");
  try {
    await promisify(execFile)(tsc, ["-p", directory]);
  } catch (error) {
    expect.fail((error as { stdout: string }).stdout);
  } finally {
    await rm(directory, { recursive: true });
  }
});
