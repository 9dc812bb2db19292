import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import type { TestProject } from "vitest/node";
import { projectRoot } from "../../scripts/lib/files.js";
import { openServer } from "./server.js";
import { createTemplate, dropDatabase } from "./template.js";

/** Where test files make their databases. */
export interface TestServerContext {
  /** Administrator of the server. */
  url: string;
  /** Name of the migrated template. */
  template: string;
}

declare module "vitest" {
  export interface ProvidedContext {
    server: TestServerContext;
  }
}

/**
 * Global setup of vitest: compiles the command line, which tests run as users do, opens the server,
 * migrates the template once, and cleans both up.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  await promisify(execFile)(join(projectRoot, "node_modules/.bin/tsc"), ["-p", "tsconfig.json"], {
    cwd: projectRoot,
  });
  const server = await openServer();
  try {
    const template = await createTemplate(server.url);
    project.provide("server", { url: server.url, template });
    return async () => {
      await dropDatabase(server.url, template);
      await server.stop();
    };
  } catch (error) {
    await server.stop();
    throw error;
  }
}
