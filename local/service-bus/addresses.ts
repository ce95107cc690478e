/** The addresses of links: `$cbs`, a queue, a dead-letter queue, or the `$management` node of either. */
import { notSupported } from "./errors.ts";

export interface Address {
  kind: "cbs" | "queue" | "management";
  /** What a token must cover. */
  resource: string;
  /** Of the queue; empty for `$cbs`. */
  path: string;
}

const CBS = "$cbs";
const SUBSCRIPTION = /\/subscriptions\//i;
const MANAGEMENT = /^(.*)\/\$management$/i;

/** The .NET client's addresses begin with a slash. Throws for what the broker does not have. */
export function readAddress(address: string): Address {
  const resource = address.replace(/^\//, "");
  if (resource.toLowerCase() === CBS) return { kind: "cbs", resource, path: "" };
  if (SUBSCRIPTION.test(resource)) throw notSupported("Topics and subscriptions");
  const managed = MANAGEMENT.exec(resource)?.[1];
  return managed === undefined
    ? { kind: "queue", resource, path: resource }
    : { kind: "management", resource, path: managed };
}
