/** One client's AMQP connection: claims, links, transfers and settlements, turned into calls of the queues. */
import type { Socket } from "node:net";
import { type Address, readAddress } from "./addresses.ts";
import type { Broker } from "./broker.ts";
import { Claims } from "./claims.ts";
import { type Content, parse, unbatch } from "./codec.ts";
import type { Queue } from "./engine.ts";
import {
  connectionForced,
  entityNotFound,
  linkDetachForced,
  notAllowed,
  notSupported,
  ServiceBusError,
  serverBusy,
  toServiceBusError,
  unauthorized,
} from "./errors.ts";
import { Idleness } from "./idleness.ts";
import { LinkConsumer } from "./link-consumer.ts";
import { manage, type Reply } from "./management.ts";
import type { Lock } from "./message.ts";
import { type Settling, settle } from "./outcomes.ts";
import { Replies, refusal } from "./replies.ts";
import {
  agreeOnSettling,
  type EventContext,
  end,
  ignoreErrors,
  type RequestMessage,
  type RheaConnection,
  type RheaContainer,
  type RheaDelivery,
  type RheaLink,
  type RheaReceiver,
  type RheaSender,
  refuseLink,
  stopHeartbeats,
} from "./rhea-internals.ts";
import { BATCH_FORMAT, keepMessagesRaw, Wire } from "./wire.ts";

const SESSION_FILTER = "com.microsoft:session-filter";

/**
 * How many deliveries of a session are kept, from the oldest that is not settled on. The service knows no such limit:
 * behind a message that its receiver holds for hours this many others pass by. With rhea's own 2,048, a busy receiver
 * stood still after minutes.
 */
const KEPT_DELIVERIES = 1_000_000;

/** What stands behind a link on which the client sends. */
type Target = { kind: "queue"; queue: Queue } | { kind: "cbs" } | { kind: "management"; queue: Queue };

export class ClientConnection {
  readonly #broker: Broker;
  readonly #connection: RheaConnection;
  readonly #socket: Socket;
  readonly #wire: Wire;
  readonly #claims: Claims;
  readonly #idleness: Idleness;
  readonly #replies = new Replies();
  readonly #consumers = new Map<RheaLink, LinkConsumer>();
  readonly #targets = new Map<RheaLink, Target>();
  /** By delivery and not by link: a settlement may arrive after its link was closed. */
  readonly #locks = new WeakMap<RheaDelivery, { queue: Queue; lock: Lock }>();

  constructor(broker: Broker, container: RheaContainer, socket: Socket) {
    this.#broker = broker;
    this.#socket = socket;
    const { keys, tokens, clock } = broker;
    this.#claims = new Claims({ keys, tokens, clock, expired: () => this.#endUnauthorized() });
    // The values of the open frame: rhea takes them from the options of the connection only. They are the service's.
    this.#connection = container.create_connection({
      idle_time_out: 240_000,
      max_frame_size: 65_536,
      session_buffer_size: { outgoing: KEPT_DELIVERIES },
    });
    this.#wire = new Wire(
      this.#connection,
      () => broker.flush(),
      () => this.#written(),
    );
    this.#idleness = new Idleness(broker.clock, broker.idleLimits, {
      detach: (link, limit) => this.#detach(link, linkDetachForced(link, `IdleTimerExpired: Idle timeout: ${limit}.`)),
      close: (limit) => this.#close(`was inactive for more than the allowed ${limit} milliseconds`),
    });
    this.#listen();
    socket.on("close", () => this.#closed());
    this.#connection.accept(socket);
  }

  /** How many links are open. */
  get linkCount(): number {
    return this.#idleness.linkCount;
  }

  #listen(): void {
    const connection = this.#connection;
    const on = (event: string, handle: (context: EventContext) => void) =>
      connection.on(event, (context) => this.#guarded(context, handle));
    on("session_open", ({ session }) => session && keepMessagesRaw(session, (link) => this.#takesRawMessages(link)));
    on("sender_open", ({ sender }) => sender && this.#attach(sender, () => this.#clientReceives(sender)));
    on("receiver_open", ({ receiver }) => receiver && this.#attach(receiver, () => this.#clientSends(receiver)));
    on("message", (context) => this.#received(context));
    on("sender_flow", ({ sender }) => this.#flowed(sender));
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
    ignoreErrors(connection);
  }

  /** An exception in a handler would end the whole connection. */
  #guarded(context: EventContext, handle: (context: EventContext) => void): void {
    try {
      handle(context);
    } catch (thrown) {
      this.#broker.log("unexpected error", thrown);
      end(context.sender ?? context.receiver ?? context.connection, toServiceBusError(thrown));
    }
  }

  #attach(link: RheaLink, open: () => void): void {
    try {
      open();
      this.#idleness.touch(link);
    } catch (error) {
      if (!(error instanceof ServiceBusError)) throw error;
      refuseLink(link, error);
    }
  }

  #clientReceives(sender: RheaSender): void {
    const address = sender.source?.address ?? "";
    const filter = sender.source?.filter ?? {};
    sender.set_source({ address, filter });
    sender.set_target({ address: sender.target?.address ?? null });
    agreeOnSettling(sender);
    const { kind, path } = this.#authorized(address);
    if (kind !== "queue") {
      this.#replies.add(sender);
      return;
    }
    const queue = this.#queueAt(path);
    if (SESSION_FILTER in filter) throw notSupported("Sessions");
    const consumer = new LinkConsumer(queue, sender, (delivery, lock) => this.#delivered(queue, delivery, lock));
    this.#consumers.set(sender, consumer);
    queue.addConsumer(consumer);
  }

  #clientSends(receiver: RheaReceiver): void {
    const address = receiver.target?.address ?? "";
    receiver.set_source({ address: receiver.source?.address ?? null });
    receiver.set_target({ address });
    agreeOnSettling(receiver);
    const { kind, path } = this.#authorized(address);
    if (kind === "cbs") {
      this.#targets.set(receiver, { kind });
      return;
    }
    const queue = this.#queueAt(path);
    if (kind === "queue" && !queue.deadLetters) throw notAllowed(`Sending to '${path}' is not allowed.`);
    this.#targets.set(receiver, { kind, queue });
  }

  /** What an address names, if the client may use it. */
  #authorized(text: string): Address {
    const address = readAddress(text);
    if (address.kind !== "cbs") this.#claims.authorize(address.resource);
    return address;
  }

  #queueAt(path: string): Queue {
    const queue = this.#broker.entity(path);
    if (!queue) throw entityNotFound(`sb://${this.#socket.localAddress}:${this.#socket.localPort}/${path}`);
    if (this.#broker.faults.strike("server-busy", queue.path)) throw serverBusy();
    return queue;
  }

  /** A token has expired: the service ends the links that it was for. */
  #endUnauthorized(): void {
    const sending = [...this.#targets].flatMap(([link, target]) =>
      target.kind === "cbs" ? [] : [{ link, queue: target.queue }],
    );
    const receiving = [...this.#consumers].map(([link, { queue }]) => ({ link, queue }));
    for (const { link, queue } of [...sending, ...receiving]) {
      try {
        this.#claims.authorize(queue.path);
      } catch {
        this.#detach(link, unauthorized("ExpiredToken: The token is expired."));
      }
    }
  }

  /** Ends a link from this side. */
  #detach(link: RheaLink, error: ServiceBusError): void {
    end(link, error);
    this.#detached(link);
  }

  #close(what: string): void {
    end(this.#connection, connectionForced(what));
  }

  #detached(link: RheaLink): void {
    this.#idleness.forget(link);
    this.#targets.delete(link);
    this.#replies.remove(link);
    const consumer = this.#consumers.get(link);
    this.#consumers.delete(link);
    consumer?.queue.removeConsumer(consumer);
  }

  /** rhea does not notice a socket that this side destroyed. */
  #closed(): void {
    stopHeartbeats(this.#connection);
    this.#connection.each_link((link) => this.#detached(link));
    for (const link of this.#consumers.keys()) this.#detached(link);
    this.#idleness.stop();
    this.#claims.forget();
  }

  #written(): void {
    for (const consumer of this.#consumers.values()) if (consumer.written()) consumer.queue.pump();
  }

  #flowed(sender: RheaSender | undefined): void {
    if (sender) this.#idleness.touch(sender);
    this.#consumerOf(sender)?.queue.pump();
  }

  #consumerOf(sender: RheaLink | undefined): LinkConsumer | undefined {
    return sender && this.#consumers.get(sender);
  }

  #takesRawMessages(link: RheaLink): boolean {
    return this.#targets.get(link)?.kind === "queue";
  }

  #received({ receiver, delivery, message, format }: EventContext): void {
    const target = receiver && this.#targets.get(receiver);
    if (!target || !delivery || message === undefined) return;
    this.#idleness.touch(receiver);
    if (target.kind === "queue") {
      if (Buffer.isBuffer(message)) this.#receivedForQueue(target.queue, delivery, message, format);
      return;
    }
    this.#wire.accept(delivery, "receiver");
    if (Buffer.isBuffer(message)) return;
    this.#answer(target, message).catch((error: unknown) => this.#broker.log("a reply could not be sent", error));
  }

  #receivedForQueue(queue: Queue, delivery: RheaDelivery, bytes: Buffer, format: number | undefined): void {
    const breakOff = this.#breakage(queue, delivery.link);
    // Half of the breaks come before the message is stored, half between storing and acknowledging it.
    if (breakOff && this.#broker.faults.coin()) {
      breakOff();
      return;
    }
    try {
      queue.checkSize(bytes.length);
      this.#send(queue, format === BATCH_FORMAT ? unbatch(bytes).map(parse) : [parse(bytes)]);
      if (breakOff) breakOff();
      else this.#broker.faults.answerSend(queue.path, bytes, () => this.#wire.accept(delivery, "receiver"));
    } catch (error) {
      if (!(error instanceof ServiceBusError)) this.#broker.log("unexpected error in a send", error);
      this.#wire.reject(delivery, "receiver", toServiceBusError(error));
      breakOff?.();
    }
  }

  /** How the connection or the link breaks in this moment, if a rule says so. */
  #breakage(queue: Queue, link: RheaLink): (() => void) | undefined {
    const { faults } = this.#broker;
    if (faults.strike("cut", queue.path)) return () => this.#socket.destroy();
    if (faults.strike("close", queue.path)) return () => this.#close("is being moved");
    if (faults.strike("detach", queue.path)) return () => this.#detach(link, linkDetachForced(link, "Moved."));
    return undefined;
  }

  #send(queue: Queue, contents: readonly Content[]): number[] {
    const { faults } = this.#broker;
    if (faults.strike("send-error", queue.path) || faults.strike("server-busy", queue.path)) throw serverBusy();
    return contents.map((content) => queue.send(content));
  }

  async #answer(target: Exclude<Target, { kind: "queue" }>, request: RequestMessage): Promise<void> {
    let reply: Reply;
    try {
      reply = target.kind === "cbs" ? await this.#claims.putToken(request) : this.#manage(target.queue, request);
    } catch (thrown) {
      if (!(thrown instanceof ServiceBusError)) this.#broker.log("unexpected error in a request", thrown);
      reply = refusal(thrown);
    }
    const link = this.#replies.send(target.kind, request, reply);
    if (link) this.#idleness.touch(link);
  }

  #manage(queue: Queue, { application_properties: properties = {}, body }: RequestMessage): Reply {
    return manage(queue, properties.operation, body, (contents) => this.#send(queue, contents));
  }

  #delivered(queue: Queue, delivery: RheaDelivery, lock: Lock | undefined): void {
    if (lock) this.#locks.set(delivery, { queue, lock });
    this.#idleness.touch(delivery.link);
    const breakOff = this.#breakage(queue, delivery.link);
    // Half of the breaks come before the message is written, half after.
    if (breakOff && this.#broker.faults.coin()) breakOff();
    else if (breakOff) setImmediate(breakOff);
  }

  #settled(settling: Settling, delivery: RheaDelivery): void {
    const held = this.#locks.get(delivery);
    if (!held) return;
    this.#locks.delete(delivery);
    this.#idleness.touch(delivery.link);
    try {
      settle(held.queue, held.lock.key, settling, delivery);
      this.#wire.accept(delivery, "sender");
    } catch (error) {
      if (!(error instanceof ServiceBusError)) this.#broker.log("unexpected error in a settlement", error);
      this.#wire.reject(delivery, "sender", toServiceBusError(error));
    }
  }
}
