/**
 * Loaded into the process of the app (`--import`): at SIGUSR2 it collects all garbage and adds its memory use to the
 * file that MEMORY_LOG names, as a line of JSON.
 */
import { appendFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");
const collect: () => void = runInNewContext("gc");
/** Milliseconds. */
const PAUSE = 300;
const ROUNDS = 5;

const file = process.env.MEMORY_LOG ?? "";

process.on("SIGUSR2", async () => {
  // Several times: what one collection finalises the next one frees, and V8 gives pages back only little by little.
  for (let round = 0; round < ROUNDS; round++) {
    await sleep(PAUSE);
    collect();
  }
  appendFileSync(file, `${JSON.stringify(process.memoryUsage())}\n`);
});
