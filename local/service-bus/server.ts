/** The broker: queues, the AMQP port, the journal. Queues only: no sessions, no topics. */
import net, { type AddressInfo, type Socket } from "node:net";
import tls from "node:tls";
import { type Certificate, selfSigned } from "../certificate.ts";
import { TokenCheck } from "../identity/token-check.ts";
import { ClientConnection } from "./amqp.ts";
import type { Broker } from "./broker.ts";
import { SystemClock } from "./clock.ts";
import { DEFAULT_SETTINGS, MAX_MESSAGE_SIZE, type Tier } from "./config.ts";
import { Queue, type Surroundings } from "./engine.ts";
import { Faults } from "./faults.ts";
import { type IdleLimits, SERVICE_IDLE_LIMITS } from "./idleness.ts";
import { Journal, type JournalOptions } from "./journal.ts";
import type { QueueSettings } from "./message.ts";
import type { Images } from "./records.ts";
import { createContainer } from "./rhea-internals.ts";
import type { SharedAccessKeys } from "./sas.ts";

const HOST = "127.0.0.1";
/** As the official emulator's documentation has it: not a secret. */
const EMULATOR_KEYS: SharedAccessKeys = { RootManageSharedAccessKey: "SAS_KEY_VALUE" };
/** How long a stopping broker waits for its clients to hang up. */
const LONGEST_GOODBYE = 500;

export type QueueOptions = Partial<QueueSettings> & { requiresSession?: boolean };

export interface BrokerOptions {
  queues?: readonly (QueueOptions & { name: string })[];
  keys?: SharedAccessKeys;
  /** Decides how large messages may be; `premium` if absent. */
  tier?: Tier;
  /** When unused links and connections end; the service's if absent. */
  idleLimits?: IdleLimits;
  /** 0: a free one. */
  port?: number;
  /** Where the journal is kept. Without it the queues live in memory. */
  dataDir?: string | undefined;
  /** The smallest journal, in bytes, that is ever shortened. */
  compactFrom?: number | undefined;
  /** Called when the disk does not take what the journal must hold; ends the process. Throws if absent. */
  refused?: JournalOptions["refused"];
  /** For the choices of injected faults. */
  seed?: number;
  log?: (...what: unknown[]) => void;
  /** Serves AMQP over TLS with a certificate of its own for 127.0.0.1 and localhost, as clients with tokens want it. */
  tls?: boolean;
  /** The local identity server (`http://127.0.0.1:PORT`), whose tokens are taken. */
  issuer?: string | undefined;
}

export class ServiceBusBroker implements Broker {
  readonly clock = new SystemClock();
  readonly faults: Faults;
  readonly keys: SharedAccessKeys;
  readonly idleLimits: IdleLimits;
  readonly log: (...what: unknown[]) => void;
  readonly tokens: TokenCheck | undefined;
  /** The open connections, as sockets and as what runs on them. */
  readonly sockets = new Set<Socket>();
  readonly connections = new Set<ClientConnection>();

  readonly #options: BrokerOptions;
  readonly #maxMessageSize: number;
  readonly #certificate: Certificate | undefined;
  readonly #entities = new Map<string, Queue>();
  readonly #around: Surroundings;
  #journal: Journal | undefined;
  #listener: net.Server | undefined;

  constructor(options: BrokerOptions = {}) {
    this.#options = options;
    this.keys = options.keys ?? EMULATOR_KEYS;
    this.idleLimits = options.idleLimits ?? SERVICE_IDLE_LIMITS;
    this.tokens = options.issuer === undefined ? undefined : new TokenCheck(options.issuer);
    this.#certificate = options.tls ? selfSigned() : undefined;
    this.#maxMessageSize = MAX_MESSAGE_SIZE[options.tier ?? "premium"];
    this.log = options.log ?? (() => {});
    this.faults = new Faults(options.seed ?? 1);
    this.#around = { clock: this.clock, faults: this.faults, journal: undefined };
    for (const { name, ...settings } of options.queues ?? []) this.createQueue(name, settings);
  }

  get port(): number {
    return addressOf(this.#listener).port;
  }

  /** With TLS: what clients have to trust, as PEM. */
  get certificate(): string | undefined {
    return this.#certificate?.certificate;
  }

  /** The queues, without their dead-letter queues. */
  get queues(): Queue[] {
    return [...this.#entities.values()].filter((queue) => queue.deadLetters !== undefined);
  }

  createQueue(name: string, { requiresSession, ...settings }: QueueOptions = {}): Queue {
    if (requiresSession) throw new Error(`Queue ${name}: sessions are not supported.`);
    const queue = new Queue(
      name,
      { ...DEFAULT_SETTINGS, maxMessageSize: this.#maxMessageSize, ...settings },
      this.#around,
    );
    this.#add(queue);
    if (queue.deadLetters) this.#add(queue.deadLetters);
    return queue;
  }

  createTopic(name: string): never {
    throw new Error(`Topic ${name}: topics are not supported.`);
  }

  /** A queue, or its dead-letter queue under `<queue>/$DeadLetterQueue`. */
  entity(path: string): Queue | undefined {
    return this.#entities.get(path.toLowerCase());
  }

  /** Listens, then opens the journal. Throws if the port is taken, or if the journal is damaged or in use. */
  async start(): Promise<this> {
    this.#listener = await this.#listen();
    if (this.#options.dataDir) {
      const { dataDir, refused, compactFrom: smallestCompaction } = this.#options;
      this.#journal = new Journal(dataDir, () => this.#images(), { log: this.log, refused, smallestCompaction });
      for (const queue of this.#entities.values()) this.#restore(queue);
      this.#around.journal = this.#journal;
    }
    return this;
  }

  /** Lets what is under way go out, then closes everything. */
  async stop(): Promise<void> {
    const listener = this.#listener;
    if (!listener) return;
    const closed = new Promise((resolve) => listener.close(resolve));
    const sockets = [...this.sockets];
    for (const socket of sockets) socket.end();
    const timer = setTimeout(() => {
      for (const socket of sockets) socket.destroy();
    }, LONGEST_GOODBYE);
    await closed;
    clearTimeout(timer);
    this.clock.stop();
    this.#journal?.close();
  }

  flush(): void {
    this.#journal?.flush();
  }

  connectionString(keyName = Object.keys(this.keys)[0] ?? "", key = this.keys[keyName]): string {
    const plain = this.#certificate === undefined ? "UseDevelopmentEmulator=true;" : "";
    return `Endpoint=sb://${HOST}:${this.port};SharedAccessKeyName=${keyName};SharedAccessKey=${key};${plain}`;
  }

  #add(queue: Queue): void {
    this.#entities.set(queue.key, queue);
    if (this.#journal) this.#restore(queue);
  }

  #restore(queue: Queue): void {
    const image = this.#journal?.images.get(queue.key);
    if (!image) return;
    this.#journal?.images.delete(queue.key);
    queue.restore(image);
  }

  /** All queues for a snapshot; and those of the journal that this process has not created. */
  #images(): Images {
    const images: Images = new Map(this.#journal?.images);
    for (const queue of this.#entities.values()) images.set(queue.key, queue.image());
    return images;
  }

  #listen(): Promise<net.Server> {
    // The connections' options come from the container; modified outcomes must not be reported as released too.
    const container = createContainer({
      id: "service-bus",
      receiver_options: { autoaccept: false, max_message_size: this.#maxMessageSize, credit_window: 1000 },
      sender_options: { autosettle: true, treat_modified_as_released: false },
    });
    container.on("error", (error) => this.log("connection error", error));
    const connected = (socket: Socket) => {
      this.sockets.add(socket);
      socket.on("error", () => {}); // a client that vanishes is no news; 'close' follows
      socket.on("close", () => this.sockets.delete(socket));
      const connection = new ClientConnection(this, container, socket);
      this.connections.add(connection);
      socket.on("close", () => this.connections.delete(connection));
    };
    const listener = this.#certificate
      ? tls.createServer({ cert: this.#certificate.certificate, key: this.#certificate.key, noDelay: true }, connected)
      : net.createServer({ noDelay: true }, connected);
    return new Promise((resolve, reject) => {
      listener.once("error", reject);
      listener.listen(this.#options.port ?? 0, HOST, () => resolve(listener));
    });
  }
}

export function addressOf(listener: { address(): AddressInfo | string | null } | undefined): AddressInfo {
  const address = listener?.address();
  if (typeof address !== "object" || address === null) throw new Error("The server is not listening.");
  return address;
}
