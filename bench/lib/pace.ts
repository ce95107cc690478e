/**
 * How fast the machine is at the moment. A virtual machine may be half as fast a minute later, which doubles all times:
 * with the pace beside a figure, a reader can tell a slow minute from a slow program.
 */
import { median } from "./quantiles.ts";

const TEXT = JSON.stringify({ id: "msg_1", content: [{ type: "text", text: { value: "Hello", annotations: [] } }] });
const TIMES = 100_000;
const TRIES = 3;

/** Milliseconds for a piece of work that is always the same. */
export function pace(): number {
  return median(Array.from({ length: TRIES }, once));
}

function once(): number {
  const started = performance.now();
  let length = 0;
  for (let i = 0; i < TIMES; i++) length += JSON.stringify(JSON.parse(TEXT)).length;
  if (length !== TIMES * TEXT.length) throw new Error("the work was not done");
  return performance.now() - started;
}

export const paceNote = ([before, after]: [number, number]) =>
  `Pace of the machine: the same piece of work took ${Math.round(before)} ms before this and ${Math.round(after)} ms after it.`;
