/** What Application Insights gets: by identity, over HTTPS, and with nothing else than what was recorded. */
import { randomUUID } from "node:crypto";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { selfSigned } from "../../../local/certificate.ts";
import { type IdentityServer, startIdentity } from "../../../local/identity/server.ts";
import { identity } from "../../../src/identity.ts";
import { telemetrySettings } from "../../../src/telemetry/settings.ts";
import { startTelemetry } from "../../../src/telemetry/start.ts";
import { collectLog, inSpan, record } from "../../../src/telemetry/telemetry.ts";
import { trust } from "../../lib/trust.ts";
import { given } from "./given.ts";

const CLIENT_ID = randomUUID();
const KEY = "InstrumentationKey=00000000-0000-0000-0000-000000000001";

let directory: IdentityServer;
let ingestion: Server;
const received: { authorization: string; text: string }[] = [];

beforeAll(async () => {
  directory = await startIdentity({ tenantId: randomUUID(), secret: "s", userAssigned: [CLIENT_ID] });
  process.env.IDENTITY_ENDPOINT = `${directory.authority}/msi/token`;
  process.env.IDENTITY_HEADER = "s";
  const { certificate, key } = selfSigned();
  trust(certificate);
  ingestion = createServer({ cert: certificate, key }, async (request, response) => {
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(piece);
    const bytes = Buffer.concat(pieces);
    const text = (request.headers["content-encoding"] === "gzip" ? gunzipSync(bytes) : bytes).toString();
    received.push({ authorization: request.headers.authorization ?? "", text });
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify({ itemsReceived: 1, itemsAccepted: 1, errors: [] }));
  });
  await new Promise<void>((resolve) => ingestion.listen(0, "127.0.0.1", resolve));
});

afterAll(async () => {
  ingestion?.closeAllConnections();
  ingestion?.close();
  await directory?.stop();
});

test("requests, dependencies, metrics and log entries, signed by the identity of the setting", async () => {
  const { port } = ingestion.address() as AddressInfo;
  const settings = telemetrySettings(
    given({
      APPLICATIONINSIGHTS_CONNECTION_STRING: `${KEY};IngestionEndpoint=https://127.0.0.1:${port}/`,
      APPLICATIONINSIGHTS_AUTHENTICATION_STRING: `ClientId=${CLIENT_ID};Authorization=AAD`,
    }),
  );
  if (settings === undefined) throw new Error("no telemetry");
  expect(settings.appInsights).toMatchObject({ byIdentity: true, clientId: CLIENT_ID });
  const failures: unknown[] = [];
  const stop = startTelemetry(settings, {
    credential: identity({ managedIdentityClientId: CLIENT_ID, hasIdentityEndpoint: true }),
    failed: (error) => failures.push(error),
  });
  const attributes = { "http.request.method": "POST", "http.route": "/threads", "http.response.status_code": 200 };
  await inSpan({ name: "POST /threads", kind: "server", attributes }, () =>
    inSpan({ name: "chat any", kind: "client", attributes: {} }, async () => {
      record("threadkeep.runs", 1, { "threadkeep.run.status": "completed" });
      collectLog({ level: "error", message: "request failed", attributes: { error: "Error: no" } });
    }),
  );
  await stop();
  expect(failures).toEqual([]);
  const items = received.flatMap(({ text }) => JSON.parse(text) as { data: { baseType: string; baseData: object } }[]);
  const of = (kind: string) => items.filter(({ data }) => data.baseType === kind).map(({ data }) => data.baseData);
  expect(of("RequestData")).toMatchObject([{ name: "POST /threads", responseCode: "200", success: true }]);
  expect(of("RemoteDependencyData")).toMatchObject([{ name: "chat any" }]);
  // The alerts and the workbook read these as AppTraces.
  expect(of("MessageData")).toMatchObject([{ message: "request failed", severityLevel: "Error" }]);
  const metrics = of("MetricData") as { metrics: { name: string; value: number }[] }[];
  expect(metrics.flatMap((each) => each.metrics)).toEqual(
    expect.arrayContaining([expect.objectContaining({ name: "threadkeep.runs", value: 1 })]),
  );
  for (const { authorization } of received) {
    const [, claims = ""] = authorization.split(".");
    expect(JSON.parse(Buffer.from(claims, "base64url").toString())).toMatchObject({
      aud: expect.stringContaining("https://monitor.azure.com"),
      appid: CLIENT_ID,
    });
  }
});
