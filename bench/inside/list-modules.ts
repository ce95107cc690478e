/** Loaded into the process of the app (`--import`): at SIGUSR2 it writes the URLs of all modules loaded so far. */
import { writeFileSync } from "node:fs";
import { registerHooks } from "node:module";

const loaded: string[] = [];
const file = process.env.MODULE_LIST ?? "";

registerHooks({
  load(url, context, nextLoad) {
    loaded.push(url);
    return nextLoad(url, context);
  },
});

process.on("SIGUSR2", () => writeFileSync(file, JSON.stringify(loaded)));
