/**
 * Loaded into the process of the app (`--import`): with its first answer it writes the URLs of all modules loaded so far.
 * Not later: what the first request does not need is loaded right after it.
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
