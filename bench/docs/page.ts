import type { Results } from "../lib/results.ts";
export function writeDocs(_: Results): void {}
