import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    testTimeout: 20_000,
    hookTimeout: 60_000,
    // Two cores are the smallest machine that we promise the whole suite on.
    maxWorkers: 2,
  },
});
