/** Tests of the failsafe writer, which must reach nearly all of it: what nobody tried fails first. */
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    maxWorkers: 2,
    // What a condition that comes true may take on a busy machine.
    expect: { poll: { timeout: 20_000 } },
    include: [
      "tests/unit/writer/**/*.test.ts",
      "tests/unit/scrub.test.ts",
      "tests/integration/spool.test.ts",
      "tests/integration/writer.test.ts",
      "tests/integration/writer_spool.test.ts",
    ],
    globalSetup: "tests/harness/setup.ts",
    testTimeout: 120_000,
    hookTimeout: 120_000,
    coverage: {
      include: ["src/writer/**"],
      exclude: ["src/writer/index.ts", "src/writer/types.ts"],
      reporter: ["text"],
      thresholds: {
        lines: 95,
        functions: 90,
        branches: 90,
        // Where failures are told apart and told.
        "src/writer/{availability,classify,failure_line,ring_buffer,stderr,transports,writer}.ts": {
          lines: 100,
          functions: 90,
          branches: 95,
        },
      },
    },
  },
});
