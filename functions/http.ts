/** Every operation of the API as an HTTP function of its own, under each base of the API. */
import { app } from "@azure/functions";
import { Connections } from "../src/api/connections.ts";
import { costs, health } from "../src/api/health.ts";
import { BASES, httpHandler, notFound } from "../src/api/http.ts";
import { openApi } from "../src/api/openapi.ts";
import { operations } from "../src/api/operations/index.ts";
import { theApp } from "../src/app.ts";

app.setup({ enableHttpStream: true });

// A bad setting stops the start, not the first request.
const threadkeep = theApp();
app.hook.appStart(() => threadkeep.prepare());
app.hook.appTerminate(() => threadkeep.close());
const connections = new Connections();

for (const { prefix, face, suffix } of BASES) {
  for (const operation of operations) {
    app.http(`${operation.name}${suffix}`, {
      methods: [operation.method],
      authLevel: "anonymous",
      route: `${prefix}/${operation.path}`,
      handler: httpHandler(threadkeep, connections, operation, face),
    });
  }
}

app.http("healthz", { methods: ["GET"], authLevel: "anonymous", route: "healthz", handler: () => health(threadkeep) });

app.http("openapi", { methods: ["GET"], authLevel: "anonymous", route: "openapi.json", handler: openApi });

if (threadkeep.config.showCosts) {
  app.http("costs", { methods: ["GET"], authLevel: "anonymous", route: "costs", handler: () => costs(threadkeep) });
}

app.http("notFound", {
  methods: ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"],
  authLevel: "anonymous",
  route: "{*path}",
  handler: notFound,
});
