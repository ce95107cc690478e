/** Threads of 10 MB, written before the first fault. */
import type OpenAI from "openai";
import { inLanes } from "../../../bench/lib/lanes.ts";

/** The longest text that a message takes. */
const LONGEST = 256_000;
const MESSAGES = 40;

/** One message after the other: a body of 10 MB is more than one request may bring. */
export async function largeThreads(client: OpenAI, count: number): Promise<string[]> {
  const content = "What a long story this is. ".repeat(LONGEST / 27).padEnd(LONGEST, ".");
  const ids: string[] = [];
  await inLanes(count, 2, async () => {
    const { threads } = client.beta;
    const { id } = await threads.create();
    for (let number = 0; number < MESSAGES; number++) await threads.messages.create(id, { role: "user", content });
    ids.push(id);
  });
  return ids;
}
