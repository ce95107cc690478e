/** The points of a run's life at which its process is killed, or something is deleted. The local servers stop it there: the app knows nothing. */
import type { FaultRule as StoreFault } from "../../../local/cosmos/faults.ts";
import type { Turn } from "../../../local/model/turn.ts";

export type Way = "background" | "streamed";

export interface Point {
  /** completes "a run …" */
  name: string;
  ways: Way[];
  /** which request of the run's thread never comes back */
  held: Pick<StoreFault, "fault" | "operations" | "containing">;
  /** whether the answer to its wake-up does not come back either: then the client has none */
  holdsWakeUp?: true;
  /** whether its assistant has a file to search */
  searches?: true;
  /** every model call that it takes, those of the dead included: one more would not say what the last one says */
  turns: Turn[];
}

export const ANSWER = "Because.";
export const OUTPUT = "forty-two";
export const TOOL = { type: "function" as const, function: { name: "lookup" } };

export const SAY: Turn = { text: ANSWER };
/** Long enough to be saved half-written. */
const SAY_SLOWLY: Turn = { text: Array.from({ length: 40 }, (_, number) => `word${number} `), tokenMs: 100 };
export const CALL: Turn = { toolCalls: [{ name: "lookup", arguments: {} }] };

const SEARCH: Turn = { toolCalls: [{ name: "file_search", arguments: { queries: ["cats"] } }] };
const SEARCH_AND_CALL: Turn = { toolCalls: [...(SEARCH.toolCalls ?? []), ...(CALL.toolCalls ?? [])] };

const BACKGROUND: Way[] = ["background"];
const BOTH: Way[] = ["background", "streamed"];

type Fault = "hold-before" | "hold-after";
const claim = (fault: Fault): Point["held"] => ({ fault, operations: ["patch"] });
export const batch = (fault: Fault, ...containing: string[]): Point["held"] => ({
  fault,
  operations: ["batch"],
  containing,
});

const A_RUN = '"kind":"run"';
export const A_MESSAGE = '"kind":"message"';
const A_PAUSE = '"status":"requires_action"';
/** Until it is there, it is null. */
const AN_OUTPUT = '"output":"';
/** The batch between two model calls. */
const A_SEARCH = '"path":"/internal/searches"';
const UNLOCKED = '"path":"/internal/active_run","value":null';

export const POINTS: [Point, ...Point[]] = [
  { name: "after it was created", ways: BOTH, held: batch("hold-after", A_RUN), turns: [SAY] },
  { name: "after its wake-up was sent", ways: BACKGROUND, held: claim("hold-before"), holdsWakeUp: true, turns: [SAY] },
  { name: "before its claim", ways: BACKGROUND, held: claim("hold-before"), turns: [SAY] },
  { name: "after its claim", ways: BACKGROUND, held: claim("hold-after"), turns: [SAY] },
  { name: "before its first checkpoint", ways: BOTH, held: batch("hold-before", A_MESSAGE), turns: [SAY_SLOWLY, SAY] },
  { name: "after its first checkpoint", ways: BOTH, held: batch("hold-after", A_MESSAGE), turns: [SAY_SLOWLY, SAY] },
  { name: "before its pause", ways: BOTH, held: batch("hold-before", A_PAUSE), turns: [CALL, CALL, SAY] },
  { name: "after its pause", ways: BOTH, held: batch("hold-after", A_PAUSE), turns: [CALL, SAY] },
  { name: "before its outputs were taken", ways: BOTH, held: batch("hold-before", AN_OUTPUT), turns: [CALL, SAY] },
  { name: "after its outputs were taken", ways: BOTH, held: batch("hold-after", AN_OUTPUT), turns: [CALL, SAY] },
  {
    name: "before its search was written",
    ways: BOTH,
    held: batch("hold-before", A_SEARCH),
    searches: true,
    turns: [SEARCH, SEARCH, SAY],
  },
  {
    name: "after its search was written",
    ways: BOTH,
    held: batch("hold-after", A_SEARCH),
    searches: true,
    turns: [SEARCH, SAY],
  },
  {
    name: "before its pause behind a search",
    ways: BOTH,
    held: batch("hold-before", A_PAUSE, A_SEARCH),
    searches: true,
    turns: [SEARCH_AND_CALL, SEARCH_AND_CALL, SAY],
  },
  { name: "before its last batch", ways: BOTH, held: batch("hold-before", UNLOCKED), turns: [SAY, SAY] },
  { name: "after its last batch", ways: BOTH, held: batch("hold-after", UNLOCKED), turns: [SAY] },
];
