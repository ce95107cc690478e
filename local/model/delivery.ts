import type { ChatCompletion } from "openai/resources/chat/completions";
import type { ChunkGroups } from "./completion.ts";
import type { Exchange } from "./exchange.ts";
import type { Turn } from "./turn.ts";

export interface Delays {
  firstTokenMs: number;
  tokenMs: number;
}

export function delaysOf(turn: Turn, usual: Delays): Delays {
  return { firstTokenMs: turn.firstTokenMs ?? usual.firstTokenMs, tokenMs: turn.tokenMs ?? usual.tokenMs };
}

/** Writes the stream at the turn's pace; without delays it is one write and no timer. */
export async function sendStream(exchange: Exchange, chunks: ChunkGroups, turn: Turn, usual: Delays): Promise<void> {
  const delays = delaysOf(turn, usual);
  exchange.startEvents();
  if (delays.firstTokenMs > 0 || turn.hang) exchange.flushHeaders();
  if (turn.hang) return exchange.untilClosed();
  await exchange.wait(delays.firstTokenMs);
  const pieces = turn.cutAfter === undefined ? chunks.pieces : chunks.pieces.slice(0, turn.cutAfter);
  const rest = await writePaced(exchange, [chunks.opening + (pieces[0] ?? ""), ...pieces.slice(1)], delays.tokenMs);
  if (turn.cutAfter === undefined) exchange.end(rest + chunks.closing);
  else exchange.cut(rest);
}

/**
 * Writes each text when it is due, and returns what is due last, to be sent with the end. The clock runs from the first
 * piece: a late timer is caught up by writing several, so a stream of n pieces takes (n - 1) delays, not more.
 */
async function writePaced(exchange: Exchange, texts: string[], tokenMs: number): Promise<string> {
  if (tokenMs === 0) return texts.join("");
  const started = performance.now();
  let sent = 0;
  while (sent < texts.length - 1 && !exchange.isGone) {
    const due = Math.min(texts.length - 1, 1 + Math.floor((performance.now() - started) / tokenMs));
    if (due > sent) exchange.write(texts.slice(sent, due).join(""));
    sent = Math.max(sent, due);
    await exchange.wait(Math.max(1, started + sent * tokenMs - performance.now()));
  }
  return texts.at(-1) ?? "";
}

/** Sends the whole completion after the time that streaming it would have taken. */
export async function sendWhole(
  exchange: Exchange,
  completion: ChatCompletion,
  pieces: number,
  turn: Turn,
  usual: Delays,
): Promise<void> {
  const delays = delaysOf(turn, usual);
  if (turn.hang) {
    exchange.startJson(200);
    exchange.flushHeaders();
    return exchange.untilClosed();
  }
  await exchange.wait(delays.firstTokenMs + delays.tokenMs * Math.max(0, pieces - 1));
  if (turn.cutAfter === undefined) return exchange.sendJson(200, completion);
  const text = JSON.stringify(completion);
  exchange.startJson(200, { "content-length": Buffer.byteLength(text) });
  exchange.cut(text.slice(0, text.length / 2));
}
