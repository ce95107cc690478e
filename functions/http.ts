/** Every operation of the API as an HTTP function of its own, under each base of the API. */
import { app } from "@azure/functions";
import { BASES, isServed } from "../src/api/bases.ts";
import { Connections } from "../src/api/connections.ts";
import { costs, health } from "../src/api/health.ts";
import { type Handler, httpHandler, notFound } from "../src/api/http.ts";
import { operations } from "../src/api/operations/index.ts";
import { type HttpRoute, nameAfter, unshadowed } from "../src/api/routes.ts";
import { theApp } from "../src/app.ts";

// Reads the settings now: a bad one stops the start, not the first request.
const threadkeep = theApp();
// With telemetry of its own the app sends its log itself: the host is not to send it a second time.
const sendsItsLog = threadkeep.config.telemetry !== undefined;
app.setup({ enableHttpStream: true, capabilities: { WorkerOpenTelemetryEnabled: sendsItsLog } });
app.hook.appStart(() => threadkeep.prepare());
app.hook.appTerminate(() => threadkeep.close());
const connections = new Connections();

interface HttpFunction extends HttpRoute {
  handler: Handler;
}

const functions: HttpFunction[] = BASES.flatMap((base) =>
  operations
    .filter((operation) => isServed(operation, base))
    .map((operation) => ({
      name: `${operation.name}${base.suffix}`,
      methods: [operation.method],
      route: `${base.prefix}/${operation.path}`,
      handler: httpHandler(threadkeep, connections, operation, base.face),
    })),
);

functions.push({ name: "healthz", methods: ["GET"], route: "healthz", handler: () => health(threadkeep) });

functions.push({
  name: "openapi",
  methods: ["GET"],
  route: "openapi.json",
  handler: async () => (await import("../src/api/openapi.ts")).openApi(),
});

if (threadkeep.config.showCosts) {
  functions.push({ name: "costs", methods: ["GET"], route: "costs", handler: () => costs(threadkeep) });
}

functions.push({
  // The host tries routes by the functions' names: this one must be the last.
  name: nameAfter(
    functions.map(({ name }) => name),
    "NotFound",
  ),
  methods: ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"],
  route: "{*path}",
  handler: notFound,
});

for (const { name, ...options } of unshadowed(functions)) app.http(name, { authLevel: "anonymous", ...options });
