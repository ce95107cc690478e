/** Where the Python comes from that the tests run: read when they run, so it cannot differ from its source. */
import { existsSync, globSync, readFileSync } from "node:fs";
import path from "node:path";

const PROJECT = path.join(import.meta.dirname, "../../..");

/** The original's reference pages. They are not part of this project. */
const PAGES = path.join(path.dirname(PROJECT), "shared/contract/seeds");

export const pagesExist = () => existsSync(PAGES);

/** Every example of the pages: from its first import to the line at which the prose goes on. */
export function examplesOfPages(): string[] {
  return globSync("*.txt", { cwd: PAGES })
    .toSorted()
    .flatMap((file) => examplesIn(readFileSync(path.join(PAGES, file), "utf8")));
}

export function examplesIn(page: string): string[] {
  const examples: string[][] = [];
  let current: string[] | undefined;
  for (const line of page.split(/\r?\n/)) {
    // No line of Python in the pages begins with a capital letter, and every paragraph does.
    if (/^\p{Lu}/u.test(line)) current = undefined;
    if (current === undefined && /^from \w+ import /.test(line)) {
      current = [];
      examples.push(current);
    }
    current?.push(line);
  }
  return examples.map((lines) => `${lines.join("\n").trimEnd()}\n`);
}

/** The README's snippet. */
export function exampleOfReadme(): string {
  const readme = readFileSync(path.join(PROJECT, "README.md"), "utf8");
  const snippet = /```python\n([\s\S]*?)```/.exec(readme)?.[1];
  if (snippet === undefined) throw new Error("README.md has no Python snippet.");
  return snippet;
}
