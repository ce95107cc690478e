import type { Doc } from "../../../src/store/documents.ts";
import { checkStore, type Report } from "../../../tools/check-store/check-store.ts";
import type { CheckOptions } from "../../../tools/check-store/rule.ts";
import type { World } from "../../local/cosmos/harness.ts";
import { NOW } from "../../unit/documents.ts";
import { TTL } from "./good-threads.ts";

export const USUAL = { now: NOW, tolerance: 10_000, eventsTtl: TTL, messagesAreDeleted: false };

/** What the checker says of a store that holds these documents and nothing else. */
export async function checkDocuments(world: World, docs: Doc[], options: Partial<CheckOptions> = {}): Promise<Report> {
  const container = await world.container();
  for (const doc of docs) await container.items.create(doc);
  const { now, ...others } = { ...USUAL, ...options };
  return checkStore(container, { ...others, pause: 0, now: () => now });
}
