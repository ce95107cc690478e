import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { apiKeys, digestOf } from "../../src/access-settings.ts";
import { PROJECT } from "../lib/imports.ts";

const run = (...args: string[]) =>
  promisify(execFile)(process.execPath, ["tools/key/main.ts", ...args], { cwd: PROJECT });

test("a key is made with the entry that the settings need, which does not hold the key", async () => {
  const { stdout } = await run("acme");
  const [key = ""] = /tk-[\w-]{43}$/m.exec(stdout) ?? [];
  const [entry = ""] = /acme:sha256:\S+$/m.exec(stdout) ?? [];
  expect(apiKeys.parse(entry)).toEqual([{ tenant: "acme", digest: digestOf(key) }]);
  expect((await run("acme")).stdout).not.toContain(key);
});

test("what is no tenant's name is refused", async () => {
  await expect(run("Acme")).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining('"Acme" is no tenant') });
});
