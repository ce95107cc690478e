/**
 * The parts of rhea that the broker uses, with types. rhea's own typings are mostly `any` and leave out what a server
 * needs (credit, raw transfers, frames); everything of it that we touch is named here, so that an upgrade is one file's
 * diff.
 */
import { createRequire } from "node:module";
import type { Socket } from "node:net";

/** A decoded AMQP value that still knows its wire type. */
export interface Typed {
  value: unknown;
}

/** An AMQP error as it appears in detach, close and rejected. */
export interface AmqpError {
  condition: string;
  description: string;
}

export interface AmqpTypes {
  Reader: new (buffer: Buffer) => { position: number; read(): Typed };
  Writer: new () => { write(value: Typed): void; toBuffer(): Buffer };
  wrap(value: unknown): Typed;
  wrap_array(values: readonly unknown[], elementCode: number): Typed;
  wrap_binary(value: Buffer): Typed;
  wrap_int(value: number): Typed;
  wrap_long(value: number): Typed;
  wrap_string(value: string): Typed;
  wrap_symbol(value: string): Typed;
  wrap_timestamp(value: number): Typed;
  wrap_uuid(value: Buffer): Typed;
  wrap_ulong(value: number): Typed;
  List32(values: readonly Typed[]): Typed;
  described_nc(descriptor: Typed, value: Typed): Typed;
  unwrap(value: Typed, leaveDescribed?: boolean): unknown;
}

interface Composite {
  described(): Typed;
}

export interface MessageHeader {
  durable: boolean;
  priority: number | undefined;
  ttl: number | undefined;
  first_acquirer: boolean;
  delivery_count: number;
}

interface RheaMessages {
  header(fields: MessageHeader): Composite;
  accepted(): Composite;
  rejected(fields: { error: AmqpError }): Composite;
}

/** A management or CBS request, decoded by rhea. */
export interface RequestMessage {
  message_id?: unknown;
  reply_to?: string;
  application_properties?: Record<string, unknown>;
  body?: unknown;
}

/** The outcome that a client gave to one of our deliveries. */
export interface RheaOutcome {
  /** Of `modified`. */
  undeliverable_here?: boolean;
  /** The fields as they came. */
  value: (Typed | undefined)[];
}

export interface RheaDelivery {
  readonly id: number;
  readonly link: RheaLink;
  settled: boolean;
  state: Typed | undefined;
  remote_settled: boolean;
  remote_state: RheaOutcome | undefined;
}

interface Terminus {
  address?: string | null;
  filter?: Record<string, unknown> | null;
}

export interface RheaLink {
  readonly name: string;
  readonly session: RheaSession;
  readonly connection: RheaConnection;
  readonly source: Terminus | null | undefined;
  readonly target: Terminus | null | undefined;
  readonly snd_settle_mode: number | undefined;
  readonly rcv_settle_mode: number | undefined;
  readonly local: {
    attach: {
      source: Typed | undefined;
      target: Typed | undefined;
      snd_settle_mode?: number | undefined;
      rcv_settle_mode?: number | undefined;
    };
  };
  is_sender(): boolean;
  set_source(fields: Terminus): void;
  set_target(fields: Terminus): void;
  close(error?: AmqpError): void;
  is_open(): boolean;
}

export interface RheaSender extends RheaLink {
  credit: number;
  delivery_count: number;
  issue_flow: boolean;
  _draining: boolean;
  _get_drain(): boolean;
  next_tag(): Buffer;
  send(message: object): RheaDelivery;
  send(encoded: Buffer, tag: Buffer, format: number): RheaDelivery;
}

export interface RheaReceiver extends RheaLink {
  /** Set between the first and the last frame of a message. */
  _incomplete: unknown;
}

export interface TransferFrame {
  performative: { handle: number; message_format?: number };
}

export interface RheaSession {
  readonly state: { local_open: boolean };
  readonly outgoing: { available(): number };
  readonly remote: { handles: Record<number, RheaLink | undefined> };
  on_transfer(frame: TransferFrame): void;
  output(frame: object): void;
  each_link(action: (link: RheaLink) => void): void;
}

export interface EventContext {
  connection: RheaConnection;
  session?: RheaSession;
  sender?: RheaSender;
  receiver?: RheaReceiver;
  delivery?: RheaDelivery;
  /** A Buffer when `format` is not 0, else the decoded message. */
  message?: Buffer | RequestMessage;
  format?: number;
}

export interface RheaConnection {
  socket: Socket;
  heartbeat_in?: NodeJS.Timeout;
  heartbeat_out?: NodeJS.Timeout;
  on(event: string, listener: (context: EventContext) => void): void;
  accept(socket: Socket): void;
  input(bytes: Buffer): void;
  is_open(): boolean;
  close(error?: AmqpError): void;
  each_link(action: (link: RheaLink) => void): void;
  /** Asks for one `_process` call on the next tick. */
  _register(): void;
  /** Writes everything that is due: begins, attaches, transfers, flows, detaches. */
  _process(): void;
  /** Without arguments: an empty frame, which AMQP allows at any time. */
  _write_frame(): void;
}

interface SaslMechanism {
  outcome: boolean | undefined;
  username: string | undefined;
  start(): void;
}

interface ConnectionOptions {
  idle_time_out: number;
  max_frame_size: number;
  session_buffer_size: { outgoing: number };
}

export interface RheaContainer {
  sasl_server_mechanisms: Record<string, () => SaslMechanism>;
  on(event: string, listener: (error: unknown) => void): void;
  create_connection(options: ConnectionOptions): RheaConnection;
}

interface Rhea {
  types: AmqpTypes;
  message: RheaMessages;
  create_container(options: object): RheaContainer;
}

interface Frames {
  disposition(fields: { role: boolean; first: number; last: number; settled: boolean; state: Typed }): object;
}

const require = createRequire(import.meta.url);
const rhea: Rhea = require("rhea");

export const frames: Frames = require("rhea/lib/frames.js");
export const types = rhea.types;
export const messages = rhea.message;

/** A container whose connections carry no credentials in SASL: they follow through `$cbs`. */
export function createContainer(options: object): RheaContainer {
  const container = rhea.create_container(options);
  // The JavaScript SDK takes ANONYMOUS, the .NET client insists on MSSBCBS. Both mean the same.
  container.sasl_server_mechanisms = { MSSBCBS: acceptedAtOnce, ANONYMOUS: acceptedAtOnce };
  return container;
}

/** Ends a link or a connection, and says why. */
export function end(what: RheaLink | RheaConnection, { condition, message }: RefusalReason): void {
  what.close({ condition, description: message });
}

/** Answers a link with an attach without source and target, then a detach that says why. */
export function refuseLink(link: RheaLink, reason: RefusalReason): void {
  link.local.attach.source = undefined;
  link.local.attach.target = undefined;
  end(link, reason);
}

interface RefusalReason {
  condition: string;
  message: string;
}

/** The client's wish is the rule: whether messages go out settled, and which side settles last. */
export function agreeOnSettling(link: RheaLink): void {
  link.local.attach.snd_settle_mode = link.snd_settle_mode;
  link.local.attach.rcv_settle_mode = link.rcv_settle_mode;
}

export function stopHeartbeats({ heartbeat_in, heartbeat_out }: RheaConnection): void {
  clearTimeout(heartbeat_in);
  clearTimeout(heartbeat_out);
}

/** Without a listener rhea turns these into an 'error' that ends the process. */
export function ignoreErrors(connection: RheaConnection): void {
  const events = ["error", "protocol_error", "connection_error", "session_error", "sender_error", "receiver_error"];
  for (const event of events) connection.on(event, () => {});
}

function acceptedAtOnce(): SaslMechanism {
  return {
    outcome: undefined,
    username: undefined,
    start() {
      this.outcome = true;
    },
  };
}
