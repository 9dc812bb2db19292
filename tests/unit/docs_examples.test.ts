/**
 * Keeps the TypeScript examples of the documentation true: each ```ts block is compiled against the
 * sources. What a reader has from elsewhere, such as a pool or an ORM that is not installed here, is
 * declared below.
 */
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { projectRoot } from "../../scripts/lib/files.js";

/** Where the entries of the package come from. */
const sources = {
  pgtrail: "src/index.ts",
  "pgtrail/edge": "src/edge.ts",
  "npm:pgtrail/edge": "src/edge.ts",
  "pgtrail/reporters/sentry": "src/reporters/sentry.ts",
  "pgtrail/reporters/opentelemetry": "src/reporters/opentelemetry.ts",
};

/** What the examples take as given, by name: imported into a block that uses it and has it not. */
const given = `
  import type { AuditEntry, AuditWriter } from "pgtrail";
  export { AuditAction, createAuditWriter } from "pgtrail";
  import type pg from "pg";

  export declare const pool: pg.Pool;
  export declare const audit: AuditWriter;
  export declare const url: string;
  export declare const serviceRoleKey: string;

  export declare const prisma: {
    audit_log: {
      createMany(args: {
        data: (Omit<AuditEntry, "changes" | "details"> & {
          changes: object | typeof Prisma.DbNull;
          details: object | typeof Prisma.DbNull;
        })[];
        skipDuplicates?: boolean;
      }): Promise<{ count: number }>;
    };
  };
  export declare const Prisma: { readonly DbNull: unique symbol };

  export declare const auditLog: { readonly id: { readonly name: "id" } };
  export declare const db: {
    insert(table: typeof auditLog): {
      values(rows: AuditEntry[]): {
        onConflictDoNothing(config: { target: (typeof auditLog)["id"] }): Promise<unknown>;
      };
    };
  };

  export declare function knex(table: "audit_log"): {
    insert(rows: AuditEntry[]): {
      onConflict(column: keyof AuditEntry): { ignore(): Promise<unknown> };
    };
  };

  export declare const Deno: {
    env: { get(name: string): string | undefined };
    serve(handler: (request: { json(): Promise<any> }) => Promise<Response>): void;
  };
  export declare function evaluateBadges(mentorId: string): Promise<{
    evaluated: string[];
    outcomes: Record<string, boolean>;
    awarded: string[];
  }>;
`;

const names = [
  // Imported by the first example of the page.
  ...["AuditAction", "createAuditWriter"],
  ...[...given.matchAll(/export declare (?:const|function) (\w+)/g)].map(([, name = ""]) => name),
];

interface Block {
  page: string;
  /** Line of its first line in the page, from 1. */
  line: number;
  text: string;
}

async function blocksOf(page: string): Promise<Block[]> {
  const text = await readFile(join(projectRoot, page), "utf8");
  return [...text.matchAll(/^```ts\n(.*?)^```$/gms)].map((match) => ({
    page,
    line: text.slice(0, match.index).split("\n").length + 1,
    text: match[1] ?? "",
  }));
}

/** A block as a module, on a line more than it has, with what it takes as given. */
function moduleOf({ text }: Block): string {
  const taken = (name: string) =>
    new RegExp(`\\b${name}\\b`).test(text) &&
    !new RegExp(`\\b(?:const|import(?: type)?)\\b[^;=]*\\b${name}\\b[^;=]*(?:=|from)`).test(text);
  return `import { ${names.filter(taken).join(", ")} } from "given"; export {};\n${text}`;
}

/** Compiles blocks, and gives what is wrong with them, by page and line. */
async function defectsOf(blocks: readonly Block[]): Promise<string[]> {
  const directory = await mkdtemp(join(tmpdir(), "pgtrail-test-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  // Where packages are looked for.
  await symlink(join(projectRoot, "node_modules"), join(directory, "node_modules"));
  await mkdir(join(directory, "blocks"));
  await writeFile(join(directory, "package.json"), '{ "type": "module" }');
  await writeFile(join(directory, "given.ts"), given);
  await writeFile(join(directory, "supabase.ts"), 'export * from "@supabase/supabase-js";');
  for (const [n, block] of blocks.entries()) {
    await writeFile(join(directory, "blocks", `${n}.ts`), moduleOf(block));
  }
  const paths = Object.entries(sources).map(([name, path]) => [name, [join(projectRoot, path)]]);
  await writeFile(
    join(directory, "tsconfig.json"),
    JSON.stringify({
      extends: join(projectRoot, "tsconfig.json"),
      compilerOptions: {
        noEmit: true,
        rootDir: "/",
        paths: {
          ...Object.fromEntries(paths),
          given: [join(directory, "given.ts")],
          "npm:@supabase/supabase-js@2": [join(directory, "supabase.ts")],
        },
      },
      include: ["blocks"],
    }),
  );
  const tsc = join(projectRoot, "node_modules/.bin/tsc");
  const output = await promisify(execFile)(tsc, ["-p", directory, "--pretty", "false"]).then(
    ({ stdout }) => stdout,
    (error) => String(error.stdout || error),
  );
  return output
    .split("\n")
    .filter((line) => line !== "")
    .map((line) =>
      line.replace(/^.*blocks\/(\d+)\.ts\((\d+),\d+\)/, (_, n, at) => {
        const block = blocks[Number(n)];
        return `${block?.page}:${Number(block?.line) + Number(at) - 2}`;
      }),
    );
}

test.each(["docs/writer.md", "docs/edge.md", "docs/reporters.md"])(
  "the TypeScript examples of %s compile",
  async (page) => {
    const blocks = await blocksOf(page);
    expect(blocks.length).toBeGreaterThan(1);
    expect(await defectsOf(blocks)).toEqual([]);
  },
);

test("an example that is wrong is told, with its line", async () => {
  const text = 'await audit.log({ action: "a", organizationId: "b" });\nconst n: string = 1;\n';
  expect(await defectsOf([{ page: "docs/some.md", line: 10, text }])).toEqual([
    expect.stringMatching(/^docs\/some\.md:10: error TS2\d+: .*organizationId/),
    expect.stringMatching(/^docs\/some\.md:11: error TS2322/),
  ]);
});
