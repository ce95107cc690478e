import { z } from "zod";

const toolCall = z.strictObject({
  id: z.string().exactOptional(),
  name: z.string(),
  /** An object is written as JSON; a string is sent as it is, malformed or not. */
  arguments: z.union([z.string(), z.record(z.string(), z.unknown())]).exactOptional(),
  /** The exact pieces in which the arguments are streamed; together they are the arguments. */
  pieces: z.array(z.string()).exactOptional(),
});

const usage = z.strictObject({
  prompt_tokens: z.int().nonnegative().exactOptional(),
  completion_tokens: z.int().nonnegative().exactOptional(),
  total_tokens: z.int().nonnegative().exactOptional(),
});

const milliseconds = z.number().nonnegative();

/** What the model does with one request. Every field is optional: an empty turn is an empty answer. */
const turn = z.strictObject({
  /** A string is streamed word by word, an array in exactly these pieces. */
  text: z.union([z.string(), z.array(z.string())]).exactOptional(),
  toolCalls: z.array(toolCall).exactOptional(),
  /** From the headers to the first piece, and from each piece to the next; the server's own delays if absent. */
  firstTokenMs: milliseconds.exactOptional(),
  tokenMs: milliseconds.exactOptional(),
  finishReason: z.enum(["stop", "length", "tool_calls", "content_filter", "function_call"]).exactOptional(),
  /** Replaces the counted figures; `null` sends no usage at all, as some servers do. */
  usage: usage.nullable().exactOptional(),
  /** Answer with this error instead of a completion; `error` replaces the usual error object of that status. */
  status: z.union([400, 401, 404, 429, 500, 503].map((status) => z.literal(status))).exactOptional(),
  error: z.record(z.string(), z.unknown()).exactOptional(),
  /** The `retry-after` header of an error, in seconds. */
  retryAfter: z.number().nonnegative().exactOptional(),
  /** After this many pieces the socket is destroyed: no end of stream, no finish reason. */
  cutAfter: z.int().nonnegative().exactOptional(),
  /** Send the headers and then nothing, until the client gives up. */
  hang: z.literal(true).exactOptional(),
  headerDelayMs: milliseconds.exactOptional(),
});

const script = z.strictObject({
  turns: z.array(turn),
  /** Start again after the last turn, rather than going back to the default behaviour. */
  repeat: z.boolean().default(false),
});

export type Turn = z.infer<typeof turn>;
export type TurnToolCall = z.infer<typeof toolCall>;
export type Script = z.infer<typeof script>;

/** Parses the body of `PUT /_local/models/{model}`; throws an Error that names the misspelt or unknown field. */
export function parseScript(body: unknown): Script {
  const parsed = script.safeParse(body);
  if (!parsed.success) throw new Error(`Not a script: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}
