/** Where Deno and Pyodide are found, and what is said where they are not. */
import { existsSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { denoExecutable, NoSandbox, pyodideFolder, versionOf } from "../../../local/code-sessions/runtime.ts";
import { startCodeSessions } from "../../../local/code-sessions/server.ts";
import { Caller, KEY } from "./caller.ts";

test("both are packages of this project, and Pyodide has the version that is pinned", async () => {
  expect(existsSync(denoExecutable())).toBe(true);
  const { default: project } = await import("../../../package.json", { with: { type: "json" } });
  expect(await versionOf(pyodideFolder())).toBe(project.devDependencies.pyodide);
});

test.each([
  ["linux", "riscv64"],
  ["freebsd", "x64"],
])("on %s with %s it is said that Deno has no build", (platform, arch) => {
  expect(() => denoExecutable(platform, arch)).toThrow(NoSandbox);
  expect(() => denoExecutable(platform, arch)).toThrow(`The package @deno/${platform}-${arch}`);
});

test("without Deno the server starts, tells of itself, and answers 503 to what needs a session", async () => {
  const findDeno = () => denoExecutable("aix", "ppc64");
  const server = await startCodeSessions({ key: KEY, cache: path.join(import.meta.dirname, "none"), findDeno });
  try {
    const caller = new Caller(server.endpoint);
    const { status, body } = await caller.execute("abcd", "1");
    expect([status, body]).toMatchObject([503, { error: { code: "SandboxUnavailable" } }]);
    expect((await caller.upload("abcd", "x", "x")).status).toBe(503);
    expect((await caller.send("GET", caller.url("/metadata"))).status).toBe(200);
    await expect(server.prepare()).rejects.toThrow(NoSandbox);
  } finally {
    await server.stop();
  }
});

test("an executable that does not start is a session that crashed, and ends nothing else", async () => {
  const findDeno = () => path.join(import.meta.dirname, "no-such-program");
  const server = await startCodeSessions({ key: KEY, cache: path.join(import.meta.dirname, "none"), findDeno });
  try {
    const { body } = await new Caller(server.endpoint).execute("abcd", "1");
    expect(body.error?.error.code).toBe("SessionCrashed");
  } finally {
    await server.stop();
  }
});
