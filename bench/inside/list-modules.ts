/**
 * Loaded into the process of the app (`--import`): with its first answer it writes the URLs of all modules loaded so
 * far. Not later: right after its first answer the app loads what the first run will need.
 */
import { subscribe } from "node:diagnostics_channel";
import { writeFileSync } from "node:fs";
import { registerHooks } from "node:module";

const loaded: string[] = [];
let answered = false;

registerHooks({
  load(url, context, nextLoad) {
    loaded.push(url);
    return nextLoad(url, context);
  },
});

subscribe("http.server.response.finish", () => {
  if (!answered) writeFileSync(process.env.MODULE_LIST ?? "", JSON.stringify(loaded));
  answered = true;
});
