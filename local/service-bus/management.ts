/** Requests to `<queue>/$management`: locks, deferred and scheduled messages, peek, settling without a link. */
import { z } from "zod";
import { type Content, parse } from "./codec.ts";
import type { Queue } from "./engine.ts";
import { malformed, notAllowed, notSupported } from "./errors.ts";
import { encodeForReceiver } from "./link-consumer.ts";
import type { Lock, Message, Outcome } from "./message.ts";
import { types } from "./rhea-internals.ts";

export interface Reply {
  status: number;
  description: string;
  condition?: string;
  body?: Record<string, unknown>;
}

const OK = { status: 200, description: "OK" };
/** Element types of AMQP arrays. */
const LONG = 0x81;
const TIMESTAMP = 0x83;

const bytes = z.instanceof(Buffer);
/** Longs beyond 2^53 arrive as bytes; sequence numbers never get there. */
const long = z.union([z.number(), bytes.transform((value) => Number(value.readBigInt64BE()))]);
const longs = z.array(long).min(1);
/** Lock tokens as the engine names them. */
const lockKeys = z.array(bytes.transform((token) => token.toString("hex"))).min(1);
const text = z.string().nullish();

const REQUESTS = {
  peek: z.object({ "from-sequence-number": long, "message-count": z.number() }),
  renewLock: z.object({ "lock-tokens": lockKeys }),
  schedule: z.object({ messages: z.array(z.object({ message: bytes })) }),
  sequenceNumbers: z.object({ "sequence-numbers": longs }),
  receiveDeferred: z.object({ "sequence-numbers": longs, "receiver-settle-mode": z.number() }),
  updateDisposition: z.object({
    "lock-tokens": lockKeys,
    "disposition-status": z.enum(["completed", "abandoned", "defered", "suspended"]),
    "deadletter-reason": text,
    "deadletter-description": text,
    "properties-to-modify": z.record(z.string(), z.unknown()).nullish(),
  }),
};

/** As the protocol spells them. */
const OUTCOMES: Record<z.infer<typeof REQUESTS.updateDisposition>["disposition-status"], Outcome> = {
  completed: "complete",
  abandoned: "abandon",
  defered: "defer",
  suspended: "deadLetter",
};

/** Carries a request out. `send` stores messages and returns their numbers. Throws ServiceBusErrors. */
export function manage(
  queue: Queue,
  operation: unknown,
  body: unknown,
  send: (messages: Content[]) => number[],
): Reply {
  switch (operation) {
    case "com.microsoft:peek-message":
      return peek(queue, read(REQUESTS.peek, body));
    case "com.microsoft:renew-lock": {
      const expirations = read(REQUESTS.renewLock, body)["lock-tokens"].map((key) => queue.renew(key));
      return { ...OK, body: { expirations: types.wrap_array(expirations, TIMESTAMP) } };
    }
    case "com.microsoft:schedule-message": {
      const numbers = send(read(REQUESTS.schedule, body).messages.map(({ message }) => parseScheduled(queue, message)));
      return { ...OK, body: { "sequence-numbers": types.wrap_array(numbers, LONG) } };
    }
    case "com.microsoft:cancel-scheduled-message":
      queue.cancelScheduled(read(REQUESTS.sequenceNumbers, body)["sequence-numbers"]);
      return OK;
    case "com.microsoft:receive-by-sequence-number":
      return receiveDeferred(queue, read(REQUESTS.receiveDeferred, body));
    case "com.microsoft:update-disposition":
      return updateDisposition(queue, read(REQUESTS.updateDisposition, body));
    default:
      throw notSupported(featureOf(String(operation)));
  }
}

function read<T>(schema: z.ZodType<T>, body: unknown): T {
  const parsed = schema.safeParse(body ?? {});
  if (parsed.success) return parsed.data;
  throw malformed(z.prettifyError(parsed.error));
}

function featureOf(operation: string): string {
  if (operation.includes("session")) return "Sessions";
  if (operation.includes("rule")) return "Topics and subscriptions";
  return `Requests of the kind '${operation}'`;
}

function parseScheduled(queue: Queue, message: Buffer): Content {
  queue.checkSize(message.length);
  const content = parse(message);
  if (content.scheduledAt === undefined) throw notAllowed("The time of a scheduled message is missing.");
  return content;
}

function peek(queue: Queue, request: z.infer<typeof REQUESTS.peek>): Reply {
  const found = queue.peek(request["from-sequence-number"], request["message-count"]);
  if (found.length === 0) return { status: 204, description: "No Content", body: { messages: [] } };
  return { ...OK, body: { messages: found.map((message) => onTheWire(message, undefined)) } };
}

function receiveDeferred(queue: Queue, request: z.infer<typeof REQUESTS.receiveDeferred>): Reply {
  const mode = request["receiver-settle-mode"] === 0 ? "receiveAndDelete" : "peekLock";
  const received = queue.receiveDeferred(request["sequence-numbers"], mode);
  return { ...OK, body: { messages: received.map(({ message, lock }) => onTheWire(message, lock)) } };
}

function onTheWire(message: Message, lock: Lock | undefined): Record<string, unknown> {
  const encoded = encodeForReceiver(message, lock);
  return lock ? { message: encoded, "lock-token": types.wrap_uuid(lock.token) } : { message: encoded };
}

function updateDisposition(queue: Queue, request: z.infer<typeof REQUESTS.updateDisposition>): Reply {
  for (const key of request["lock-tokens"]) {
    queue.settle(key, OUTCOMES[request["disposition-status"]], {
      properties: request["properties-to-modify"] ?? undefined,
      reason: request["deadletter-reason"] ?? undefined,
      description: request["deadletter-description"] ?? undefined,
    });
  }
  return OK;
}
