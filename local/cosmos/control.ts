import type { Context } from "./context.ts";
import { CosmosError } from "./errors.ts";
import { parseRules } from "./fault-rules.ts";
import { type CosmosRequest, jsonBody } from "./request.ts";
import { parseSettings } from "./settings.ts";

/**
 * The server's own endpoints, under /_local/: health, statistics, injected faults, the account's settings, and the
 * split of a physical partition (`POST split/{database}/{container}/{range}`). Returns what to answer as JSON.
 */
export function answerControl(request: CosmosRequest, { faults, counters, service }: Context): unknown {
  const { account } = service;
  const [, resource, database = "", id = "", range = ""] = request.parts;
  const route = `${request.method} ${request.parts.slice(1).join("/")}`;
  if (request.method === "POST" && resource === "split") {
    const container = account.container(database, id);
    account.split(container, range);
    return container.ranges.all();
  }
  switch (route) {
    case "GET health":
      return { status: "ok" };
    case "GET stats":
      account.removeExpired();
      return counters.read();
    case "POST stats/reset":
      account.removeExpired();
      counters.reset();
      return counters.read();
    case "GET faults":
      return faults.list();
    case "PUT faults":
      faults.set(parseRules(jsonBody(request)));
      return faults.list();
    case "GET settings":
      return account.settings;
    case "PUT settings":
      account.change(parseSettings(jsonBody(request)));
      return account.settings;
  }
  throw new CosmosError(404, "NotFound", `There is no ${route} here.`);
}
