/**
 * Signs requests with an account key (Cosmos DB's REST reference, "Access control"), as the SDK does itself, but
 * imports the key once instead of for every request: that was 6 % of a run's CPU time. With a managed identity nothing
 * is signed.
 */
import { createHmac, createSecretKey } from "node:crypto";
import type { TokenProvider } from "@azure/cosmos";

export function signer(masterKey: string): TokenProvider {
  const key = createSecretKey(Buffer.from(masterKey, "base64"));
  return async ({ verb, resourceType, resourceId, headers }) => {
    const date = String(headers["x-ms-date"]).toLowerCase();
    // Whatever its type says, the SDK gives no id where something is created at the top.
    const text = `${verb.toLowerCase()}\n${resourceType.toLowerCase()}\n${resourceId ?? ""}\n${date}\n\n`;
    return `type=master&ver=1.0&sig=${createHmac("sha256", key).update(text).digest("base64")}`;
  };
}
