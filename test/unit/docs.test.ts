/** What the documentation and the comments refer to exists. */
import { existsSync, globSync, readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { PROJECT } from "../lib/imports.ts";

const SOURCES = "{functions,src,local,tools,bench,infra,test}/**/*.ts";
const PAGES = "{*,docs/*}.md";

const read = (file: string) => readFileSync(path.join(PROJECT, file), "utf8");

/** The anchors of a page's headings, as GitHub makes them. */
const anchorsOf = (page: string): string[] =>
  Array.from(page.matchAll(/^#+ (.+)$/gm), ([, heading = ""]) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );

test("each section of docs/contract.md that a file cites is there, and each row of section 9", () => {
  const contract = read("docs/contract.md");
  const sections = new Set(Array.from(contract.matchAll(/^##+ (\d+(?:\.\d+)?)/gm), ([, section]) => section));
  const rows = new Set(
    Array.from(contract.slice(contract.indexOf("## 9.")).matchAll(/^\| (\d+) \|/gm), ([, row]) => row),
  );
  const cited = globSync(SOURCES, { cwd: PROJECT }).flatMap((file) =>
    Array.from(read(file).matchAll(/docs\/contract\.md (\d+(?:\.\d+)?)(?:, row (\d+))?/g), ([, section, row]) => ({
      file,
      section,
      row,
    })),
  );
  expect(cited.length).toBeGreaterThan(20);
  expect(cited.filter(({ section, row }) => !sections.has(section) || (row !== undefined && !rows.has(row)))).toEqual(
    [],
  );
});

test("each link between the project's pages leads to a file, and to a heading where it names one", () => {
  const links = globSync(PAGES, { cwd: PROJECT }).flatMap((page) =>
    Array.from(read(page).matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)/g), ([, target = "", anchor]) => ({
      page,
      target: target === "" ? page : path.join(path.dirname(page), target),
      anchor,
    })),
  );
  expect(links.length).toBeGreaterThan(10);
  const broken = links.filter(({ target, anchor }) => {
    if (!existsSync(path.join(PROJECT, target))) return true;
    return anchor !== undefined && !anchorsOf(read(target)).includes(anchor);
  });
  expect(broken).toEqual([]);
});
