/** Which file imports which, read from the sources. */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";

export const PROJECT = path.resolve(import.meta.dirname, "../..");

/** Each file, by its path from the project, with the files that it imports; types and dynamic imports included. */
export type ImportGraph = Map<string, string[]>;

/** Follows an import, an export of another file's names, a side-effect import or a dynamic one, if it is relative. */
const RELATIVE_IMPORT = /(?:\bfrom|\bimport)\s*\(?\s*"(\.[^"]+)"/g;

export const relativeImports = (source: string): string[] =>
  Array.from(source.matchAll(RELATIVE_IMPORT), ([, target = ""]) => target);

/** Reads every TypeScript file of these folders of the project. */
export function importGraph(folders: string[]): ImportGraph {
  const graph: ImportGraph = new Map();
  for (const folder of folders) {
    for (const name of readdirSync(path.join(PROJECT, folder), { recursive: true, encoding: "utf8" })) {
      if (!name.endsWith(".ts")) continue;
      const file = path.posix.join(folder, name.split(path.sep).join("/"));
      const targets = relativeImports(readFileSync(path.join(PROJECT, file), "utf8"));
      graph.set(
        file,
        targets.map((target) => path.posix.join(path.posix.dirname(file), target)),
      );
    }
  }
  return graph;
}

/** All files that these ones import, directly or not, and these themselves. */
export function reachableFrom(graph: ImportGraph, roots: Iterable<string>): Set<string> {
  const reached = new Set<string>();
  const next = [...roots];
  for (let file = next.pop(); file !== undefined; file = next.pop()) {
    if (reached.has(file)) continue;
    reached.add(file);
    next.push(...(graph.get(file) ?? []));
  }
  return reached;
}

/** Groups of files each of which imports, directly or not, all others of its group. */
export function circles(graph: ImportGraph): string[][] {
  const reachable = new Map(
    [...graph].map(([file, targets]): [string, Set<string>] => [file, reachableFrom(graph, targets)]),
  );
  const found: string[][] = [];
  const seen = new Set<string>();
  for (const [file, reached] of reachable) {
    if (seen.has(file) || !reached.has(file)) continue;
    const circle = [...reached].filter((other) => reachable.get(other)?.has(file)).toSorted();
    for (const member of circle) seen.add(member);
    found.push(circle);
  }
  return found;
}
