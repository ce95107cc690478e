import { randomBytes } from "node:crypto";

/** Ids must differ between two servers, since an app may keep them; within one, counting is enough (and fast). */
const server = randomBytes(8).toString("hex");
let count = 0;

/** An id of the usual length: the prefix and 24 characters. */
export function newId(prefix: "chatcmpl-" | "call_" | "req_"): string {
  count += 1;
  return prefix + server + count.toString(36).padStart(8, "0");
}
