/** One client's AMQP connection: claims, links, transfers and settlements, turned into calls of the queues. */
import type { Socket } from "node:net";
import { Claims } from "./claims.ts";
import type { Clock } from "./clock.ts";
import { type Content, parse, unbatch } from "./codec.ts";
import type { Queue } from "./engine.ts";
import { entityNotFound, notAllowed, notSupported, ServiceBusError, serverBusy, toServiceBusError } from "./errors.ts";
import type { Faults } from "./faults.ts";
import { LinkConsumer } from "./link-consumer.ts";
import { manage, type Reply } from "./management.ts";
import type { Lock } from "./message.ts";
import {
  type EventContext,
  type RequestMessage,
  type RheaConnection,
  type RheaContainer,
  type RheaDelivery,
  type RheaLink,
  type RheaReceiver,
  type RheaSender,
  types,
} from "./rhea-internals.ts";
import type { SharedAccessKeys } from "./sas.ts";
import { BATCH_FORMAT, keepMessagesRaw, Wire } from "./wire.ts";

/** What a connection needs from the broker. */
export interface Broker {
  readonly clock: Clock;
  readonly faults: Faults;
  readonly keys: SharedAccessKeys;
  /** Looks up a queue or a dead-letter queue; paths are case-insensitive. */
  entity(path: string): Queue | undefined;
  /** Writes what the journal has pending, before a client learns of it. */
  flush(): void;
  log(...what: unknown[]): void;
}

const CBS = "$cbs";
const SESSION_FILTER = "com.microsoft:session-filter";
const MANAGEMENT_PATH = /^(.*)\/\$management$/i;
const SUBSCRIPTION_PATH = /\/subscriptions\//i;

/** What stands behind a link on which the client sends. */
type Target = { kind: "queue"; queue: Queue } | { kind: "cbs" } | { kind: "management"; queue: Queue };
type Settling = "accepted" | "released" | "modified" | "rejected";

export class ClientConnection {
  readonly #broker: Broker;
  readonly #connection: RheaConnection;
  readonly #socket: Socket;
  readonly #wire: Wire;
  readonly #claims: Claims;
  /** Links for answers of $cbs and $management, by link name and by target address. */
  readonly #replyLinks = new Map<string, RheaSender>();
  readonly #consumers = new Map<RheaLink, LinkConsumer>();
  readonly #targets = new Map<RheaLink, Target>();
  /** By delivery and not by link: a settlement may arrive after its link was closed. */
  readonly #locks = new WeakMap<RheaDelivery, { queue: Queue; lock: Lock }>();

  constructor(broker: Broker, container: RheaContainer, socket: Socket) {
    this.#broker = broker;
    this.#socket = socket;
    this.#claims = new Claims(broker.keys, () => broker.clock.now());
    // The values of the open frame: rhea takes them from the options of the connection only. They are the service's.
    this.#connection = container.create_connection({ idle_time_out: 240_000, max_frame_size: 65_536 });
    this.#wire = new Wire(this.#connection, () => broker.flush());
    this.#listen();
    socket.on("close", () => this.#closed());
    this.#connection.accept(socket);
  }

  #listen(): void {
    const connection = this.#connection;
    const on = (event: string, handle: (context: EventContext) => void) =>
      connection.on(event, (context) => this.#guarded(context, handle));
    on("session_open", ({ session }) => session && keepMessagesRaw(session, (link) => this.#takesRawMessages(link)));
    on("sender_open", ({ sender }) => sender && this.#attach(sender, () => this.#clientReceives(sender)));
    on("receiver_open", ({ receiver }) => receiver && this.#attach(receiver, () => this.#clientSends(receiver)));
    on("message", (context) => this.#received(context));
    on("sender_flow", ({ sender }) => this.#consumerOf(sender)?.queue.pump());
    on("sendable", ({ sender }) => this.#consumerOf(sender)?.queue.pump());
    on("sender_draining", ({ sender }) => this.#consumerOf(sender)?.drain());
    for (const settling of ["accepted", "released", "modified", "rejected"] as const) {
      on(settling, ({ delivery }) => delivery && this.#settled(settling, delivery));
    }
    on("sender_close", ({ sender }) => sender && this.#detached(sender));
    on("receiver_close", ({ receiver }) => receiver && this.#detached(receiver));
    on("session_close", ({ session }) => session?.each_link((link) => this.#detached(link)));
    on("connection_close", () => connection.each_link((link) => this.#detached(link)));
    on("disconnected", () => connection.each_link((link) => this.#detached(link)));
    // Without a listener rhea turns these into an 'error' that ends the process.
    for (const event of [
      "error",
      "protocol_error",
      "connection_error",
      "session_error",
      "sender_error",
      "receiver_error",
    ]) {
      connection.on(event, () => {});
    }
  }

  /** An exception in a handler would end the whole connection. */
  #guarded(context: EventContext, handle: (context: EventContext) => void): void {
    try {
      handle(context);
    } catch (thrown) {
      this.#broker.log("unexpected error", thrown);
      const { condition, message } = toServiceBusError(thrown);
      (context.sender ?? context.receiver ?? context.connection).close({ condition, description: message });
    }
  }

  // ---- attach and detach

  /** Refused links are answered with an attach without source and target, then a detach that says why. */
  #attach(link: RheaLink, open: () => void): void {
    try {
      open();
    } catch (error) {
      if (!(error instanceof ServiceBusError)) throw error;
      link.local.attach.source = undefined;
      link.local.attach.target = undefined;
      link.close({ condition: error.condition, description: error.message });
    }
  }

  #clientReceives(sender: RheaSender): void {
    const address = sender.source?.address ?? "";
    const filter = sender.source?.filter ?? {};
    sender.set_source({ address, filter });
    sender.set_target({ address: sender.target?.address ?? null });
    sender.local.attach.snd_settle_mode = sender.snd_settle_mode;
    sender.local.attach.rcv_settle_mode = sender.rcv_settle_mode;
    if (address !== CBS) this.#claims.authorize(address);
    if (address === CBS || MANAGEMENT_PATH.test(address)) {
      this.#replyLinks.set(sender.name, sender);
      if (sender.target?.address) this.#replyLinks.set(sender.target.address, sender);
      return;
    }
    const queue = this.#queueAt(address);
    if (SESSION_FILTER in filter) throw notSupported("Sessions");
    const consumer = new LinkConsumer(queue, sender, (delivery, lock) => this.#delivered(queue, delivery, lock));
    this.#consumers.set(sender, consumer);
    queue.addConsumer(consumer);
  }

  #clientSends(receiver: RheaReceiver): void {
    const address = receiver.target?.address ?? "";
    receiver.set_source({ address: receiver.source?.address ?? null });
    receiver.set_target({ address });
    if (address === CBS) {
      this.#targets.set(receiver, { kind: "cbs" });
      return;
    }
    this.#claims.authorize(address);
    const managed = MANAGEMENT_PATH.exec(address)?.[1];
    const queue = this.#queueAt(managed ?? address);
    if (managed === undefined && !queue.deadLetters) throw notAllowed(`Sending to '${address}' is not allowed.`);
    this.#targets.set(receiver, { kind: managed === undefined ? "queue" : "management", queue });
  }

  #queueAt(address: string): Queue {
    if (SUBSCRIPTION_PATH.test(address)) throw notSupported("Topics and subscriptions");
    const queue = this.#broker.entity(address);
    if (!queue) throw entityNotFound(`sb://${this.#socket.localAddress}:${this.#socket.localPort}/${address}`);
    return queue;
  }

  #detached(link: RheaLink): void {
    this.#targets.delete(link);
    for (const [name, replyLink] of this.#replyLinks) if (replyLink === link) this.#replyLinks.delete(name);
    const consumer = this.#consumers.get(link);
    this.#consumers.delete(link);
    consumer?.queue.removeConsumer(consumer);
  }

  /** rhea does not notice a socket that this side destroyed. */
  #closed(): void {
    clearTimeout(this.#connection.heartbeat_in);
    clearTimeout(this.#connection.heartbeat_out);
    this.#connection.each_link((link) => this.#detached(link));
    for (const link of this.#consumers.keys()) this.#detached(link);
  }

  #consumerOf(sender: RheaLink | undefined): LinkConsumer | undefined {
    return sender && this.#consumers.get(sender);
  }

  #takesRawMessages(link: RheaLink): boolean {
    return this.#targets.get(link)?.kind === "queue";
  }

  // ---- messages from the client

  #received({ receiver, delivery, message, format }: EventContext): void {
    const target = receiver && this.#targets.get(receiver);
    if (!target || !delivery || message === undefined) return;
    if (target.kind === "queue") {
      if (Buffer.isBuffer(message)) this.#receivedForQueue(target.queue, delivery, message, format);
      return;
    }
    this.#wire.accept(delivery, "receiver");
    if (!Buffer.isBuffer(message)) this.#answer(target, message);
  }

  #receivedForQueue(queue: Queue, delivery: RheaDelivery, bytes: Buffer, format: number | undefined): void {
    const cut = this.#broker.faults.strike("cut", queue.path);
    // Half of the cuts come before the message is stored, half between storing and acknowledging it.
    if (cut && this.#broker.faults.coin()) {
      this.#socket.destroy();
      return;
    }
    try {
      queue.checkSize(bytes.length);
      this.#send(queue, format === BATCH_FORMAT ? unbatch(bytes).map(parse) : [parse(bytes)]);
      this.#broker.faults.answerSend(queue.path, bytes, () => this.#wire.accept(delivery, "receiver"));
    } catch (error) {
      if (!(error instanceof ServiceBusError)) this.#broker.log("unexpected error in a send", error);
      this.#wire.reject(delivery, "receiver", toServiceBusError(error));
    }
    if (cut) this.#socket.destroy();
  }

  #send(queue: Queue, contents: readonly Content[]): number[] {
    if (this.#broker.faults.strike("send-error", queue.path)) throw serverBusy();
    return contents.map((content) => queue.send(content));
  }

  #answer(target: Exclude<Target, { kind: "queue" }>, request: RequestMessage): void {
    let reply: Reply;
    try {
      reply = target.kind === "cbs" ? this.#claims.putToken(request) : this.#manage(target.queue, request);
    } catch (thrown) {
      if (!(thrown instanceof ServiceBusError)) this.#broker.log("unexpected error in a request", thrown);
      const { status, message, condition } = toServiceBusError(thrown);
      reply = { status, description: message, condition };
    }
    const link = this.#replyLinks.get(request.reply_to ?? "");
    if (!link) return;
    const delivery = link.send({
      correlation_id: request.message_id,
      application_properties: replyProperties(target.kind, reply),
      body: reply.body,
    });
    // Settled at once: the client's disposition would cost it a delayed TCP acknowledgement.
    delivery.settled = true;
  }

  #manage(queue: Queue, { application_properties: properties = {}, body }: RequestMessage): Reply {
    return manage(queue, properties.operation, body, (contents) => this.#send(queue, contents));
  }

  // ---- messages to the client

  #delivered(queue: Queue, delivery: RheaDelivery, lock: Lock | undefined): void {
    if (lock) this.#locks.set(delivery, { queue, lock });
    if (!this.#broker.faults.strike("cut", queue.path)) return;
    // Half of the cuts come before the message is written, half after.
    if (this.#broker.faults.coin()) this.#socket.destroy();
    else setImmediate(() => this.#socket.destroy());
  }

  #settled(settling: Settling, delivery: RheaDelivery): void {
    const held = this.#locks.get(delivery);
    if (!held) return;
    this.#locks.delete(delivery);
    try {
      settle(held.queue, held.lock.key, settling, delivery);
      this.#wire.accept(delivery, "sender");
    } catch (error) {
      if (!(error instanceof ServiceBusError)) this.#broker.log("unexpected error in a settlement", error);
      this.#wire.reject(delivery, "sender", toServiceBusError(error));
    }
  }
}

/** The outcomes of AMQP are the settlements of the SDKs. */
function settle(queue: Queue, key: string, settling: Settling, { remote_state: state }: RheaDelivery): void {
  if (settling === "accepted") {
    queue.settle(key, "complete");
  } else if (settling === "released") {
    queue.settle(key, "abandon");
  } else if (settling === "modified") {
    queue.settle(key, state?.undeliverable_here ? "defer" : "abandon", { properties: state?.message_annotations });
  } else {
    const {
      DeadLetterReason: reason,
      DeadLetterErrorDescription: description,
      ...properties
    } = state?.error?.info ?? {};
    queue.settle(key, "deadLetter", { properties, reason: textOf(reason), description: textOf(description) });
  }
}

const textOf = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined);

/** $cbs and $management spell the same three properties differently. */
function replyProperties(kind: "cbs" | "management", reply: Reply): Record<string, unknown> {
  const [status, description, condition] =
    kind === "cbs"
      ? ["status-code", "status-description", "error-condition"]
      : ["statusCode", "statusDescription", "errorCondition"];
  const properties = { [status]: types.wrap_int(reply.status), [description]: reply.description };
  if (!reply.condition) return properties;
  return { ...properties, [condition]: types.wrap_symbol(reply.condition) };
}
