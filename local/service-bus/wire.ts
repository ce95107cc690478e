/**
 * What a broker needs of an AMQP connection beyond rhea's API, in one place: settling in frames of our own, raw message
 * bytes, one TCP write a turn, prompt TCP acknowledgements. It reaches into rhea (pinned by the lock file).
 */

import type { ServiceBusError } from "./errors.ts";
import {
  frames,
  messages,
  type RheaConnection,
  type RheaDelivery,
  type RheaLink,
  type RheaSession,
  type Typed,
} from "./rhea-internals.ts";

/** The format of a batch: each data section holds one encoded message. */
export const BATCH_FORMAT = 0x80013700;
/** Not a format of AMQP: it keeps rhea from decoding a plain message and dropping its bytes. */
const RAW_FORMAT = 1;

const ACCEPTED = messages.accepted().described();

/** AMQP's `role` of the side that settles: true for the receiver of the message. */
type Role = "sender" | "receiver";

interface Disposition {
  session: RheaSession;
  role: boolean;
  id: number;
  state: Typed;
}

export class Wire {
  readonly #connection: RheaConnection;
  #dispositions: Disposition[] = [];

  /** `beforeWrite` runs before anything is written in a turn: the journal's chance to be first. */
  constructor(connection: RheaConnection, beforeWrite: () => void, afterWrite: () => void) {
    this.#connection = connection;
    this.#writeInOneGo(beforeWrite, afterWrite);
    acknowledgePromptly(connection);
  }

  accept(delivery: RheaDelivery, role: Role): void {
    this.#settle(delivery, role, ACCEPTED);
  }

  reject(delivery: RheaDelivery, role: Role, error: ServiceBusError): void {
    const state = messages.rejected({ error: { condition: error.condition, description: error.message } }).described();
    this.#settle(delivery, role, state);
  }

  /**
   * rhea would join adjacent deliveries of one turn in one frame even if their outcomes differ (write_dispositions
   * compares the second delivery of a range with nothing): a refused message would be reported as accepted. So the
   * frames are ours.
   */
  #settle(delivery: RheaDelivery, role: Role, state: Typed): void {
    const fromSettledSender = role === "receiver" && delivery.remote_settled;
    delivery.settled = true;
    delivery.state = state;
    // In "second" mode clients wait for our word and never say "settled": rhea would keep the delivery for ever.
    if (role === "sender") delivery.remote_settled = true;
    if (fromSettledSender) return;
    this.#dispositions.push({ session: delivery.link.session, role: role === "receiver", id: delivery.id, state });
    this.#connection._register();
  }

  #writeDispositions(): void {
    const all = this.#dispositions;
    this.#dispositions = [];
    for (let index = 0; index < all.length; ) {
      const first = all[index++];
      if (!first) return;
      let last = first.id;
      for (let next = all[index]; next && follows(next, first, last); next = all[index]) {
        last = next.id;
        index++;
      }
      if (!first.session.state.local_open) continue;
      const { session, role, state } = first;
      session.output(frames.disposition({ role, first: first.id, last, settled: true, state }));
    }
  }

  /** rhea writes frame by frame: corking joins a turn's frames in one packet (15 to 20 % more messages a second). */
  #writeInOneGo(beforeWrite: () => void, afterWrite: () => void): void {
    const connection = this.#connection;
    const process = connection._process;
    connection._process = () => {
      beforeWrite();
      const { socket } = connection;
      socket.cork();
      try {
        this.#writeDispositions();
        process.call(connection);
      } finally {
        socket.uncork();
      }
      afterWrite();
    };
  }
}

/** Only accepted ones share a frame: they are all the same. */
function follows(next: Disposition, first: Disposition, last: number): boolean {
  const bothAccepted = first.state === ACCEPTED && next.state === ACCEPTED;
  return bothAccepted && next.session === first.session && next.role === first.role && next.id === last + 1;
}

/**
 * The SDKs' sockets use Nagle's algorithm: a frame that gets no answer (a flow, a disposition) holds their next one
 * back until our kernel's delayed acknowledgement, up to 40 ms later. An empty frame carries the acknowledgement at
 * once.
 */
function acknowledgePromptly(connection: RheaConnection): void {
  const { input } = connection;
  let waiting = false;
  connection.input = (bytes) => {
    const written = connection.socket.bytesWritten;
    input.call(connection, bytes);
    if (waiting) return;
    waiting = true;
    setImmediate(() => {
      waiting = false;
      const { socket } = connection;
      if (connection.is_open() && socket.writable && socket.bytesWritten === written) connection._write_frame();
    });
  };
}

/** Messages to the links that `wantsRaw` names arrive as bytes, as the sender encoded them. */
export function keepMessagesRaw(session: RheaSession, wantsRaw: (link: RheaLink) => boolean): void {
  const { on_transfer } = session;
  session.on_transfer = (frame) => {
    const { performative } = frame;
    const link = session.remote.handles[performative.handle];
    const firstFrame = link && !("_incomplete" in link && link._incomplete);
    if (link && firstFrame && !performative.message_format && wantsRaw(link)) performative.message_format = RAW_FORMAT;
    on_transfer.call(session, frame);
  };
}
