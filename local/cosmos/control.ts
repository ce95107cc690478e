import { CosmosError } from "./errors.ts";
import { type Faults, parseRules } from "./faults.ts";
import { type CosmosRequest, jsonBody } from "./request.ts";
import type { Counters } from "./stats.ts";

/** The server's own endpoints, under /_local/: health, statistics and injected faults. Returns what to answer as JSON. */
export function answerControl(request: CosmosRequest, faults: Faults, counters: Counters): unknown {
  const route = `${request.method} ${request.parts.slice(1).join("/")}`;
  switch (route) {
    case "GET health":
      return { status: "ok" };
    case "GET stats":
      return counters.read();
    case "POST stats/reset":
      counters.reset();
      return counters.read();
    case "GET faults":
      return faults.list();
    case "PUT faults":
      faults.set(parseRules(jsonBody(request)));
      return faults.list();
  }
  throw new CosmosError(404, "NotFound", `There is no ${route} here.`);
}
