#!/usr/bin/env node
// Stands in for Core Tools: tells how it was started, and whether the servers of its local.settings.json answer.
import { readFileSync } from "node:fs";

const { Values } = JSON.parse(readFileSync("local.settings.json", "utf8"));
const storage = /BlobEndpoint=([^;]+)/.exec(Values.AzureWebJobsStorage)?.[1];
const answers = {};
for (const [name, url] of Object.entries({ cosmos: Values.COSMOS_ENDPOINT, model: Values.MODEL_ENDPOINT, storage })) {
  answers[name] = await fetch(url).then(({ status }) => status > 0);
}
console.log(
  `func ${JSON.stringify({ cwd: process.cwd(), args: process.argv.slice(2), node: process.version, env: process.env, answers })}`,
);
process.on("SIGTERM", () => process.exit(0));
setInterval(() => {}, 1000);
