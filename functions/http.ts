/** Every operation of the API as an HTTP function of its own, under each base of the API. */
import { app } from "@azure/functions";
import { BASES, isServed } from "../src/api/bases.ts";
import { Connections } from "../src/api/connections.ts";
import { costs, health } from "../src/api/health.ts";
import { httpHandler, notFound } from "../src/api/http.ts";
import { operations } from "../src/api/operations/index.ts";
import { theApp } from "../src/app.ts";

app.setup({ enableHttpStream: true });

// Reads the settings now: a bad one stops the start, not the first request.
const threadkeep = theApp();
app.hook.appStart(() => threadkeep.prepare());
app.hook.appTerminate(() => threadkeep.close());
const connections = new Connections();

for (const base of BASES) {
  for (const operation of operations.filter((each) => isServed(each, base))) {
    app.http(`${operation.name}${base.suffix}`, {
      methods: [operation.method],
      authLevel: "anonymous",
      route: `${base.prefix}/${operation.path}`,
      handler: httpHandler(threadkeep, connections, operation, base.face),
    });
  }
}

app.http("healthz", { methods: ["GET"], authLevel: "anonymous", route: "healthz", handler: () => health(threadkeep) });

app.http("openapi", {
  methods: ["GET"],
  authLevel: "anonymous",
  route: "openapi.json",
  handler: async () => (await import("../src/api/openapi.ts")).openApi(),
});

if (threadkeep.config.showCosts) {
  app.http("costs", { methods: ["GET"], authLevel: "anonymous", route: "costs", handler: () => costs(threadkeep) });
}

app.http("notFound", {
  methods: ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"],
  authLevel: "anonymous",
  route: "{*path}",
  handler: notFound,
});
