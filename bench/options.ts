/** The command line of `npm run bench`. */
import { parseArgs } from "node:util";
import type { Address } from "./lib/subject.ts";

export interface Options {
  /** The measurements to make; undefined means all. */
  only: string[] | undefined;
  quick: boolean;
  profile: boolean;
  json: string;
  appDir: string | undefined;
  target: Address | undefined;
  writeDocs: boolean;
}

/** With the names of the measurements. */
export const usage = (names: string[]) => `npm run bench -- [options]
  --only A,B       measure these only, of: ${names.slice(0, 7).join(", ")},
                   ${names.slice(7).join(", ")}
  --quick          few repetitions: to see that everything works
  --profile        throughput: record CPU profiles of the app and say where its time goes
  --json FILE      where the results go (.local/bench.json); what is measured now replaces what is there
  --app DIR        the folder of the app (this project)
  --target URL     measure a deployed app: URL as an OpenAI client takes it, with /v1
  --key KEY        its API key (or the variable THREADKEEP_KEY)
  --model NAME     its model (gpt-4o-mini)
  --write-docs     measure nothing: put the results of the JSON file into docs/performance.md`;

/** Throws if there is an option that does not exist. */
export function readOptions(args: string[]): Options | "help" {
  const { values } = parseArgs({
    args,
    options: {
      only: { type: "string" },
      quick: { type: "boolean", default: false },
      profile: { type: "boolean", default: false },
      json: { type: "string", default: ".local/bench.json" },
      app: { type: "string" },
      target: { type: "string" },
      key: { type: "string", default: process.env.THREADKEEP_KEY ?? "" },
      model: { type: "string", default: "gpt-4o-mini" },
      "write-docs": { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return "help";
  const { target: baseUrl, key: apiKey, model } = values;
  return {
    only: values.only?.split(",").map((name) => name.trim()),
    quick: values.quick,
    profile: values.profile,
    json: values.json,
    appDir: values.app,
    target: baseUrl === undefined ? undefined : { baseUrl, apiKey, model },
    writeDocs: values["write-docs"],
  };
}
