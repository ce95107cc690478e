/**
 * `npm run test:dotnet`: unmodified .NET libraries against the local stack. The client of Service Bus, which the real
 * Functions host uses, talks to the broker; the clients of the API, `OpenAI` and `Azure.AI.OpenAI`, talk to the app. An
 * argument chooses the checks whose names contain it.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { withApp } from "./app.ts";
import { withBroker } from "./broker.ts";
import { build, type Counts, hindrance, run } from "./programs.ts";

const CLIENTS = ["openai-assistants", "openai-early-assistants", "azure-assistants"] as const;

async function check(folder: string, filter: string): Promise<Counts[]> {
  const serviceBus = await withBroker((connection, control) => {
    console.log("\nAzure.Messaging.ServiceBus against the broker");
    return run(folder, "service-bus", [connection, control, filter]);
  });
  const clients = await withApp([...CLIENTS], async (app) => {
    const counts: Counts[] = [];
    for (const program of CLIENTS) {
      counts.push(await run(folder, program, [JSON.stringify(app.addressesFor(program)), filter]));
    }
    return counts;
  });
  return [serviceBus, ...clients];
}

async function main(): Promise<void> {
  const reason = hindrance();
  if (reason !== undefined) return console.log(`test:dotnet skipped: ${reason}.`);
  const folder = mkdtempSync(path.join(tmpdir(), "threadkeep-dotnet-"));
  try {
    if (!(await build(folder))) return console.log("test:dotnet skipped: NuGet does not have its packages here.");
    const counts = await check(folder, process.argv[2] ?? "");
    const sum = (key: keyof Counts) => counts.reduce((total, each) => total + each[key], 0);
    console.log(`\nIn all:\n${sum("passed")} passed, ${sum("failed")} failed`);
    const none = sum("passed") + sum("failed") === 0;
    if (none) console.log("No check has such a name.");
    if (none || sum("failed") > 0) process.exitCode = 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

await main();
