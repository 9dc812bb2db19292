import { defineConfig } from "vitest/config";
import { soakSeconds } from "./tests/soak/seconds.js";

/** Long tests: `npm run test:soak`. Each takes about PGTRAIL_SOAK_SECONDS (60). */
export default defineConfig({
  test: {
    include: ["tests/soak/**/*.test.ts"],
    // One at a time, since each wants the whole machine.
    fileParallelism: false,
    testTimeout: (soakSeconds * 3 + 120) * 1000,
    hookTimeout: 120_000,
  },
});
