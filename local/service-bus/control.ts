/**
 * The control plane over HTTP: look into the queues, inject faults. It is for people and tests; the app never uses it.
 */
import { createServer, type IncomingMessage, type Server } from "node:http";
import { z } from "zod";
import { applicationPropertiesOf, bodyOf } from "./codec.ts";
import type { Queue } from "./engine.ts";
import { rulesSchema } from "./faults.ts";
import type { Message } from "./message.ts";
import type { ServiceBusBroker } from "./server.ts";

const HOST = "127.0.0.1";
const MESSAGES_PATH = /^\/_local\/queues\/(.+)\/messages$/;

class ControlError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** Starts the control server. Port 0: a free one. */
export function startControl(broker: ServiceBusBroker, port: number): Promise<Server> {
  const server = createServer(async (request, response) => {
    const { status, body } = await respond(broker, request);
    response.writeHead(status, { "content-type": "application/json" }).end(`${JSON.stringify(body, undefined, 2)}\n`);
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, HOST, () => resolve(server));
  });
}

async function respond(broker: ServiceBusBroker, request: IncomingMessage): Promise<{ status: number; body: unknown }> {
  try {
    return { status: 200, body: await route(broker, request) };
  } catch (error) {
    const status = error instanceof ControlError ? error.status : 500;
    return { status, body: { error: error instanceof Error ? error.message : String(error) } };
  }
}

async function route(broker: ServiceBusBroker, request: IncomingMessage): Promise<unknown> {
  const { pathname, searchParams } = new URL(request.url ?? "/", `http://${HOST}`);
  const queuePath = request.method === "GET" ? MESSAGES_PATH.exec(pathname)?.[1] : undefined;
  if (queuePath !== undefined) return { messages: messagesIn(broker, decodeURIComponent(queuePath)) };
  switch (`${request.method} ${pathname}`) {
    case "GET /_local/health":
      return { status: "ok" };
    case "GET /_local/queues":
      return { queues: broker.queues.map(describeQueue) };
    case "GET /_local/faults":
      return broker.faults.list();
    case "PUT /_local/faults":
      return replaceFaults(broker, await textOf(request), searchParams.get("seed"));
    default:
      throw new ControlError(404, `There is no ${request.method} ${pathname}.`);
  }
}

/** As in the service, active messages include the locked ones. */
function describeQueue(queue: Queue): unknown {
  const { deadLetter, ...counts } = queue.counts();
  const { path: name, settings, totals } = queue;
  return { name, ...counts, locked: queue.locks.size, deadLettered: deadLetter, totals, settings };
}

function messagesIn(broker: ServiceBusBroker, path: string): unknown[] {
  const queue = broker.entity(path);
  if (!queue) throw new ControlError(404, `There is no queue ${path}.`);
  return [...queue.messages.values()].sort((a, b) => a.sequenceNumber - b.sequenceNumber).map(describeMessage);
}

function describeMessage(message: Message): unknown {
  return {
    messageId: message.messageId,
    sequenceNumber: message.sequenceNumber,
    state: message.lock ? "locked" : message.state,
    deliveryCount: message.deliveryCount,
    enqueuedTime: isoTime(message.enqueuedTime),
    scheduledTime: isoTime(message.state === "scheduled" ? message.activateAt : message.scheduledAt),
    expiresAt: isoTime(message.expiresAt),
    lockedUntil: isoTime(message.lock?.until),
    applicationProperties: applicationPropertiesOf(message.bare),
    body: bodyOf(message.bare),
  };
}

const isoTime = (time: number | undefined) => (time === undefined ? undefined : new Date(time).toISOString());

function replaceFaults(broker: ServiceBusBroker, text: string, seed: string | null): unknown {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new ControlError(400, "The body is not JSON.");
  }
  const rules = rulesSchema.safeParse(json);
  if (!rules.success) throw new ControlError(400, z.prettifyError(rules.error));
  broker.faults.replace(rules.data, seed === null ? undefined : Number(seed));
  return broker.faults.list();
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}
