/** Reads a model's answer into a turn. */
import { setImmediate } from "node:timers/promises";
import type { AnswerPiece } from "../model/pieces.ts";
import type { Turn } from "./turn.ts";

/**
 * Resolves when the answer is whole, or as long as it may be; or with what went wrong at the model. What the turn
 * itself throws is a fault of this code, and is thrown.
 */
export async function hear(answer: AsyncGenerator<AnswerPiece>, turn: Turn): Promise<{ error: unknown } | undefined> {
  let begun = false;
  for (;;) {
    let next: IteratorResult<AnswerPiece>;
    try {
      next = await answer.next();
      if (next.done && turn.finishReason === undefined) {
        throw new Error("the model's stream ended without a finish reason");
      }
    } catch (error) {
      return { error };
    }
    if (next.done) return undefined;
    try {
      turn.apply(next.value);
    } catch (error) {
      // The model goes on: its connection must not stay open.
      await answer.return(undefined);
      throw error;
    }
    if (turn.isFull) {
      turn.cutOff();
      await answer.return(undefined);
      return undefined;
    }
    if (begun || !turn.hasBegun) continue;
    begun = true;
    await firstTokenLeaves();
  }
}

/** A model that sends much at once keeps the process busy: the first piece must leave before that. */
async function firstTokenLeaves(): Promise<void> {
  // Twice: a round of the event loop begins with what has come in, and sockets go on there.
  await setImmediate();
  await setImmediate();
}
