import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import type { TestProject } from "vitest/node";
import { projectRoot } from "../../scripts/lib/files.js";
import type { Seed } from "./seed.js";
import { openServer } from "./server.js";
import { createTemplate, dropDatabase } from "./template.js";

/** Where test files make their databases. */
export interface TestServerContext {
  /** Administrator of the server. */
  url: string;
  /** Name of the migrated template. */
  template: string;
  /** What clusters of a test file's own are copied from, when the suite has an embedded server. */
  seed?: Seed;
}

declare module "vitest" {
  export interface ProvidedContext {
    server: TestServerContext;
  }
}

/**
 * Global setup of vitest: compiles the command line, which tests run as users do, opens a server with
 * a migrated template, and cleans both up.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  await promisify(execFile)(join(projectRoot, "node_modules/.bin/tsc"), ["-p", "tsconfig.json"], {
    cwd: projectRoot,
  });
  const server = await openServer();
  try {
    const { url, seed } = server;
    const template = seed?.template ?? (await createTemplate(url));
    project.provide("server", { url, template, ...(seed && { seed }) });
    return async () => {
      await dropDatabase(url, template);
      await server.stop();
    };
  } catch (error) {
    await server.stop();
    throw error;
  }
}
