import { EventDecoder } from "../../../src/runs/event-decoding.ts";
import { encodeEvents } from "../../../src/runs/event-encoding.ts";
import type { RunEvent } from "../../../src/runs/events.ts";
import type { RunDoc, StepDoc } from "../../../src/store/documents.ts";

/** What a reader makes of a log's chunks, each given as its entries; events of unknown kinds are left out. */
export function decodeLog(chunks: unknown[][], run: RunDoc, steps: StepDoc[] = []): RunEvent[] {
  const decoder = new EventDecoder();
  return chunks.flatMap((entries) => decoder.decode(entries, run, steps)).filter((event) => event !== undefined);
}

/** What the store gives back of these events. */
export const kept = (events: RunEvent[]): unknown[] => JSON.parse(JSON.stringify(encodeEvents(events)));
