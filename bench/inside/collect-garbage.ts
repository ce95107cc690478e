/**
 * Loaded into the process of the app (`--import`): at SIGUSR2 it collects all garbage and adds its memory use to the
 * file that MEMORY_LOG names, as a line of JSON.
 */
import { appendFileSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");
const collect: () => void = runInNewContext("gc");
const file = process.env.MEMORY_LOG ?? "";

process.on("SIGUSR2", () => {
  // Twice: what the first collection finalises, the second one frees.
  collect();
  collect();
  appendFileSync(file, `${JSON.stringify(process.memoryUsage())}\n`);
});
