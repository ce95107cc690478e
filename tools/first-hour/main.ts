/** `npm run first-hour -- --target local|azure`: the exit code is 0, 1 or 2 as the help says. */
import { randomBytes } from "node:crypto";
import { type Stack, startStack } from "../../local/stack.ts";
import { readConfig } from "../../src/config.ts";
import { azure } from "./azure.ts";
import { CHECKS } from "./checks/all.ts";
import { firstHour } from "./first-hour.ts";
import { localPlace, localSettings } from "./local.ts";
import { Place, type PlaceOptions } from "./place.ts";
import { rowText, summaryText } from "./report.ts";
import { describe, exitCodeOf } from "./run-checks.ts";
import { firstKeyOf, type Options, readOptions, USAGE } from "./settings.ts";

const stopped = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => stopped.abort());

try {
  const options = readOptions(process.argv.slice(2), process.env);
  if (options === "help") console.log(USAGE);
  else process.exitCode = await check(options);
} catch (error) {
  console.error(error instanceof Error && error.message.includes("\n") ? error.message : describe(error));
  process.exitCode = 2;
}

async function check(options: Options): Promise<number> {
  if (options.target === "azure") return checkPlace(azurePlace(options), options);
  let stack: Stack | undefined;
  try {
    const key = randomBytes(16).toString("hex");
    stack = await startStack({ env: localSettings(key), blobs: true, code: {}, signal: stopped.signal });
    return await checkPlace(localPlace(stack), options);
  } finally {
    await stack?.stop();
  }
}

function azurePlace(options: Options): PlaceOptions {
  const config = readConfig(process.env);
  const key = options.key ?? firstKeyOf(process.env.API_KEYS);
  if (key === undefined) throw new Error("say --key KEY, a key of the app");
  return { config, app: { url: options.app ?? "", key }, model: options.model, surroundings: azure(config) };
}

async function checkPlace(given: PlaceOptions, { write, only, json, byHand }: Options): Promise<number> {
  const say = json ? console.error : console.log;
  const place = new Place(byHand ? { ...given, askOperator: say } : given);
  const stop = () => place.stopping.abort();
  stopped.signal.addEventListener("abort", stop);
  if (stopped.signal.aborted) stop();
  const summary = await firstHour(CHECKS, place, { write, only, report: (row) => json || console.log(rowText(row)) });
  console.log(json ? JSON.stringify(summary, undefined, 2) : summaryText(summary));
  return exitCodeOf(summary.rows);
}
