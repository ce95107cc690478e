/** Modules of ours that are loaded into the process of the app, to see what only shows from there. */

import path from "node:path";
import { pathToFileURL } from "node:url";

type Module = "trace-requests" | "collect-garbage" | "list-modules";

/** The setting that loads it. */
export function inside(module: Module): { NODE_OPTIONS: string } {
  const file = path.join(import.meta.dirname, "..", "inside", `${module}.ts`);
  return { NODE_OPTIONS: `--import=${pathToFileURL(file).href}` };
}
