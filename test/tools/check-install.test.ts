/** What an installation that is not whole says, before anything in TypeScript could fail in its own way. */
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, onTestFinished, test } from "vitest";

const SCRIPT = path.resolve(import.meta.dirname, "../../tools/check-install.mjs");

/** Runs the check in a copy of the project with these packages. */
function check(packages: string[], node = process.execPath): { code: number | null; output: string } {
  const project = mkdtempSync(path.join(tmpdir(), "install-"));
  onTestFinished(() => rmSync(project, { recursive: true }));
  mkdirSync(path.join(project, "tools"));
  cpSync(SCRIPT, path.join(project, "tools/check-install.mjs"));
  for (const name of packages) mkdirSync(path.join(project, "node_modules", name), { recursive: true });
  const { status, stdout, stderr } = spawnSync(node, ["tools/check-install.mjs"], { cwd: project, encoding: "utf8" });
  return { code: status, output: stdout + stderr };
}

test("nothing is said of a whole installation", () => {
  expect(check(["zod", "typescript"])).toEqual({ code: 0, output: "" });
});

test("what is missing is named, with the command that brings it", () => {
  expect(check([])).toEqual({ code: 1, output: "Nothing is installed yet. Run: npm install\n" });
  expect(check(["zod"])).toEqual({ code: 1, output: expect.stringMatching(/\nRun: npm install --include=dev\n$/) });
});

test("a Node without TypeScript is named, and how to get another one", (context) => {
  const old = oldNode();
  if (old === undefined) return context.skip("skipped: no Node older than 22.18 is installed here");
  const { code, output } = check(["zod", "typescript"], old);
  expect(code).toBe(1);
  expect(output).toMatch(/^This is Node \d+\.\d+\.\d+; 22\.18 or newer is needed\..*\nRun: npm rebuild node .*\n$/);
});

function oldNode(): string | undefined {
  const folders = (process.env.PATH ?? "").split(path.delimiter);
  return folders
    .map((folder) => path.join(folder, "node"))
    .find((node) => {
      try {
        return (
          execFileSync(node, ["-p", "Boolean(process.features.typescript)"], { encoding: "utf8" }).trim() === "false"
        );
      } catch {
        return false;
      }
    });
}
