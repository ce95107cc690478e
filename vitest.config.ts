import { defineConfig } from "vitest/config";

/** These share one running app, which their set-up starts. */
const E2E = ["test/e2e/**/*.test.ts", "test/contract/**/*.test.ts"];

/** These need a process of their own: they settle what it trusts and who it is. */
const APART = [
  "test/faults/{hang,random-faults,statuses}.test.ts",
  "test/identity/**/*.test.ts",
  "test/local/identity/**/*.test.ts",
  "test/local/service-bus/identities.test.ts",
  "test/unit/identity.test.ts",
  "test/unit/telemetry/app-insights.test.ts",
];

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
        test: {
          name: "tests",
          include: ["test/**/*.test.ts"],
          exclude: [...E2E, ...APART, ...ELSEWHERE],
          // Files share a process, module by module: loading the SDKs anew for each costs more than most tests.
          isolate: false,
        },
      },
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
