/** The command line: `npm run first-hour -- --target local|azure [options]`. */
import { parseArgs } from "node:util";
import { DIGEST_PREFIX } from "../../src/access-settings.ts";

export const USAGE = `npm run first-hour -- --target local|azure [options]

Checks what Threadkeep relies on, against a real account, and prints what was expected and what it got.

  --target local   start the local servers with the app, check them, stop them (needs "npm run build")
  --target azure   check a deployed app, with the app's own settings in the environment:
                   COSMOS_ENDPOINT, COSMOS_KEY, COSMOS_DATABASE, ServiceBusConnection (or
                   ServiceBusConnection__fullyQualifiedNamespace), MODEL_ENDPOINT, and for
                   the code interpreter CODE_SESSIONS_ENDPOINT
  --app URL        the deployed app, as an OpenAI client takes it, with /v1 (or the variable THREADKEEP_URL)
  --key KEY        its API key (THREADKEEP_KEY, or the first of API_KEYS that is no digest)
  --model NAME     a model that it serves (gpt-4o-mini)
  --write          also do what creates documents, runs and wake-ups: up to 300 short model calls, 100,000 RU,
                   and some ten sessions for code ($0.03 each)
  --by-hand        also wait for what only you can do (deploy, block the account): it says when
  --only A,B       these checks only, by their numbers
  --json           one JSON object instead of the table

What it creates is called "first-hour-…" and is deleted at the end, also after Ctrl-C; documents that it could not
delete expire after 15 minutes. It changes no setting, and touches nothing that was there.
Exit code: 0 all is as expected, 1 something is not, 2 it could not check.`;

export interface Options {
  target: "local" | "azure";
  app: string | undefined;
  key: string | undefined;
  model: string;
  write: boolean;
  byHand: boolean;
  /** numbers of checks; all if undefined */
  only: number[] | undefined;
  json: boolean;
}

/** Throws what is wrong, in words for the operator. `environment` is looked at for what the arguments do not say. */
export function readOptions(args: string[], environment: NodeJS.ProcessEnv): Options | "help" {
  const { values } = parseArgs({
    args,
    options: {
      target: { type: "string" },
      app: { type: "string", default: environment.THREADKEEP_URL ?? "" },
      key: { type: "string", default: environment.THREADKEEP_KEY ?? "" },
      model: { type: "string", default: "gpt-4o-mini" },
      write: { type: "boolean", default: false },
      "by-hand": { type: "boolean", default: false },
      only: { type: "string" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return "help";
  const { target } = values;
  if (target !== "local" && target !== "azure") throw new Error("say --target local or --target azure (--help)");
  if (target === "azure" && values.app === "") throw new Error("say --app URL, the base URL of the deployed app");
  return {
    target,
    app: values.app || undefined,
    key: values.key || undefined,
    model: values.model,
    write: values.write || target === "local",
    byHand: values["by-hand"],
    only: values.only?.split(",").map(checkNumber),
    json: values.json,
  };
}

/** The first of `API_KEYS` that is a key and no digest of one. */
export function firstKeyOf(apiKeys = ""): string | undefined {
  const keys = apiKeys.split(",").map((entry) => entry.slice(entry.indexOf(":") + 1).trim());
  return keys.find((key) => key !== "" && !key.startsWith(DIGEST_PREFIX));
}

function checkNumber(text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1) throw new Error(`--only takes numbers of checks, not "${text}"`);
  return number;
}
