/** What clients delete at each named point, and what must come of the run. */
import type { Turn } from "../../../local/model/turn.ts";
import { A_MESSAGE, batch, CALL, POINTS, type Point, SAY, type Way } from "./points.ts";

export const OBJECTS = ["question", "reply", "thread"] as const;
export type DeletedObject = (typeof OBJECTS)[number];

/** A reply that is complete before its run is: calls follow it. */
const CALL_WITH_TEXT: Turn = { ...CALL, text: "Let me look that up." };

/** Its function call takes long enough for the reply before it to be deleted, and for several checkpoints after that. */
const SLOW_CALL: Turn = {
  text: "Let me look that up.",
  toolCalls: [{ name: "lookup", pieces: ['{"a":"', ...Array.from({ length: 30 }, () => "x".repeat(20)), '"}'] }],
  tokenMs: 100,
};

export interface DeletePoint extends Point {
  /** whether its driver has still to ask the model when the thread goes, so that it does so once in vain */
  asksInVain: Way[];
}

const ASKS_IN_VAIN: Record<string, Way[]> = {
  "after it was created": ["streamed"],
  "after its claim": ["background"],
  "after its outputs were taken": ["streamed"],
  "after its search was written": ["background", "streamed"],
};

/** Where no process dies, no model call is repeated. */
function undisturbed({ searches, turns: [first = SAY] }: Point): Turn[] {
  if (first === CALL) return [CALL_WITH_TEXT, SAY];
  return searches ? [first, SAY] : [first];
}

export const DELETE_POINTS: DeletePoint[] = [
  ...POINTS.map((point) => ({ ...point, turns: undisturbed(point), asksInVain: ASKS_IN_VAIN[point.name] ?? [] })),
  {
    name: "while it writes a function call",
    ways: ["background", "streamed"],
    held: batch("hold-after", A_MESSAGE),
    turns: [SLOW_CALL, SAY],
    asksInVain: [],
  },
];
