/** A request to Cosmos DB as OpenTelemetry sees it: https://opentelemetry.io/docs/specs/semconv/database/cosmosdb. */
import { inSpan, isRecording, record } from "../telemetry/telemetry.ts";
import { statusOf, substatusOf } from "./trouble.ts";

/** The SDK's own names, and what the conventions call the same. */
const OPERATIONS: Record<string, string> = {
  create: "create_item",
  read: "read_item",
  upsert: "upsert_item",
  replace: "replace_item",
  patch: "patch_item",
  delete: "delete_item",
  query: "query_items",
  batch: "execute_batch",
};

export interface StoreRequest {
  /** as the SDK names it */
  operation: string | undefined;
  path: string | undefined;
}

interface Answer {
  code?: number | undefined;
}

/** `charged` are the request units of the answer, which `send` learns. */
export function inStoreSpan<T extends Answer>(
  { operation = "", path = "" }: StoreRequest,
  send: () => Promise<T>,
  charged: () => number,
): Promise<T> {
  if (!isRecording()) return send();
  const name = OPERATIONS[operation] ?? operation;
  const collection = /\/colls\/([\w-]+)/.exec(path)?.[1];
  const about = { "db.system.name": "azure.cosmosdb", "db.operation.name": name, "db.collection.name": collection };
  return inSpan({ name: `${name} ${collection ?? ""}`.trimEnd(), kind: "client", attributes: about }, async (span) => {
    let outcome: { status: number | undefined; substatus?: number | undefined } = { status: undefined };
    try {
      const answer = await send();
      outcome = { status: answer.code };
      return answer;
    } catch (error) {
      outcome = { status: statusOf(error), substatus: substatusOf(error) };
      throw error;
    } finally {
      const { status, substatus } = outcome;
      const charge = charged();
      span.set({
        "db.response.status_code": status === undefined ? undefined : String(status),
        "azure.cosmosdb.response.sub_status_code": substatus,
        "azure.cosmosdb.operation.request_charge": charge,
      });
      const known = { ...about, "db.response.status_code": status === undefined ? undefined : String(status) };
      record("azure.cosmosdb.client.operation.request_charge", charge, known);
    }
  });
}
