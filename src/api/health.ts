/** GET /healthz: whether this instance is up and reaches its store; what it has cost so far. */
import type { HttpResponseInit } from "@azure/functions";
import type { App } from "../app.ts";

/** `cost` are the requests of this process since its start, as Cosmos DB's and Service Bus' own answers count them. */
export async function health(app: App): Promise<HttpResponseInit> {
  try {
    await app.store.ping();
    return { status: 200, jsonBody: { status: "ok" } };
  } catch (error) {
    app.log.warn("not healthy", { error });
    return { status: 503, jsonBody: { status: "unavailable", reason: "the store does not answer" } };
  }
}
