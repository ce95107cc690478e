import { defineConfig } from "vitest/config";

/** These share one running app, which their set-up starts. */
const E2E = ["test/e2e/**/*.test.ts", "test/contract/**/*.test.ts"];

/** Share processes, module by module: that halves what they cost. */
const UNIT = ["test/unit/**/*.test.ts"];

/** Of them, those that need a process of their own: what it trusts and who it is is settled by its first connection. */
const APART = ["test/unit/{identity,telemetry/app-insights,code/sessions}.test.ts"];

/** Run by scripts of their own: what they need is not in this project's package.json. */
const ELSEWHERE = ["test/frameworks/**"];

export default defineConfig({
  test: {
    testTimeout: 20_000,
    hookTimeout: 60_000,
    // A second, as the library has it, is too short on a busy machine.
    expect: { poll: { timeout: 15_000 } },
    // For two cores, the smallest machine that we promise the whole suite on: tests mostly wait for the servers.
    maxWorkers: 3,
    projects: [
      {
        extends: true,
        test: { name: "servers", include: ["test/**/*.test.ts"], exclude: [...E2E, ...UNIT, ...ELSEWHERE] },
      },
      { extends: true, test: { name: "unit", include: UNIT, exclude: APART, isolate: false } },
      { extends: true, test: { name: "apart", include: APART } },
      {
        extends: true,
        test: {
          name: "e2e",
          include: E2E,
          globalSetup: "test/e2e/setup.ts",
          // The tests mostly wait for the app, each for a tenant of its own.
          sequence: { concurrent: true },
        },
      },
    ],
  },
});
