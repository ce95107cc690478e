/** Every document has the fields that the other rules look into. One without them is left out of those. */
import type { Finding } from "../rule.ts";
import type { ThreadSnapshot } from "../snapshot.ts";

export function documentsAreReadable({ unreadable }: ThreadSnapshot): Iterable<Finding> {
  return unreadable;
}
