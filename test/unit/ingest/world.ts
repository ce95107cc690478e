/**
 * Vector stores on a real store, queue, Blob Storage and embedding model of this machine. Each worker has a connection of its own to
 * the store that can be cut for good, as if its process had died; the test plays the host and moves the clock.
 */
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import net, { type AddressInfo } from "node:net";
import { CosmosClient } from "@azure/cosmos";
import { ServiceBusClient } from "@azure/service-bus";
import { azuriteSpec, blobConnectionString } from "../../../local/azurite-spec.ts";
import { Child } from "../../../local/child.ts";
import { type CosmosServer, startCosmos } from "../../../local/cosmos/server.ts";
import { type RunningModel, startModel } from "../../../local/model/server.ts";
import { ServiceBusBroker } from "../../../local/service-bus/server.ts";
import { App } from "../../../src/app.ts";
import { blobName } from "../../../src/blobs/blobs.ts";
import { readConfig } from "../../../src/config.ts";
import { createFile } from "../../../src/files/create.ts";
import type { IngestTools } from "../../../src/ingest/tools.ts";
import { handleIngest } from "../../../src/ingest/wake.ts";
import { INGEST_QUEUE, QUEUE } from "../../../src/jobs/wake-ups.ts";
import { mintId, nextSeq } from "../../../src/resources/ids.ts";
import type { FileDoc } from "../../../src/store/documents.ts";
import { checkVectorStores, type StoresReport } from "../../../tools/check-store/vector-stores.ts";
import { PROJECT } from "../../lib/imports.ts";
import { silentLog } from "../silent-log.ts";

/** Milliseconds. */
const AFTERLIFE = 20_000;

export interface Worker {
  app: App;
  tools: IngestTools;
  /** Nothing that it does reaches the store any more. */
  kill(): Promise<void>;
}

export class IngestWorld {
  readonly cosmos: CosmosServer;
  readonly queue: ServiceBusBroker;
  readonly embeddings: Embedder;
  /** how far the workers' clocks are ahead, in milliseconds */
  skew = 0;
  readonly #model: RunningModel;
  readonly #azurite: Child;
  readonly #workers = new Set<Worker>();
  #hasContainers = false;
  readonly #bus: ServiceBusClient;

  // biome-ignore lint/style/useConsistentMemberAccessibility: a constructor has no #private form.
  private constructor(
    cosmos: CosmosServer,
    queue: ServiceBusBroker,
    model: RunningModel,
    azurite: Child,
    embeddings: Embedder,
  ) {
    this.cosmos = cosmos;
    this.queue = queue;
    this.#model = model;
    this.#azurite = azurite;
    this.embeddings = embeddings;
    this.#bus = new ServiceBusClient(queue.connectionString());
  }

  static async start(): Promise<IngestWorld> {
    const azurite = new Child({
      ...azuriteSpec(0, undefined),
      cwd: PROJECT,
      env: process.env,
      log: () => {},
      isShown: false,
      onDeath: () => {},
    });
    const [cosmos, model] = await Promise.all([startCosmos(), startModel(), azurite.start()]);
    const queue = new ServiceBusBroker();
    for (const name of [QUEUE, INGEST_QUEUE]) queue.createQueue(name, { dupWindow: 60_000 });
    await queue.start();
    return new IngestWorld(cosmos, queue, model, azurite, await Embedder.start(model.baseUrl));
  }

  get blobPort(): number {
    return Number(this.#azurite.ports.port);
  }

  /** Another process of the app, with Blob Storage at this port. */
  async worker(blobPort = this.blobPort): Promise<Worker> {
    const line = await Line.to(Number(new URL(this.cosmos.endpoint).port));
    const app = new App(
      readConfig({
        COSMOS_ENDPOINT: line.endpoint,
        COSMOS_KEY: this.cosmos.key,
        COSMOS_CREATE_CONTAINERS: String(!this.#hasContainers),
        ServiceBusConnection: this.queue.connectionString(),
        BLOBS_CONNECTION: blobConnectionString(blobPort),
        MODEL_ENDPOINT: this.#model.baseUrl,
        MODEL_KEY: "a-key",
        EMBEDDING_MODEL: "text-embedding-3-small",
        EMBEDDING_ENDPOINT: this.embeddings.url,
        EMBEDDING_KEY: "a-key",
      }),
      silentLog,
    );
    await app.prepare();
    const tools: IngestTools = { ...app.ingest, now: () => Date.now() + this.skew };
    this.#hasContainers = true;
    const worker = {
      app,
      tools,
      kill: async () => {
        await line.cut();
        this.#workers.delete(worker);
        // What it was about has failed by then; its connections to the others would be held for nothing.
        setTimeout(() => void app.close().catch(() => undefined), AFTERLIFE).unref();
      },
    };
    this.#workers.add(worker);
    return worker;
  }

  newTenant = (): string => `tenant-${randomUUID()}`;

  /** A file of the tenant with this text. */
  async file({ app }: Worker, tenant: string, text: string, filename = "notes.txt"): Promise<FileDoc> {
    const { blobs } = app;
    if (blobs === undefined) throw new Error("there is Blob Storage");
    const id = mintId("file", nextSeq(Date.now()));
    async function* bytes() {
      yield Buffer.from(text);
    }
    const received = await blobs.receive(blobName(tenant, id), bytes());
    return createFile(app.store, tenant, { id, purpose: "assistants", filename }, received, Date.now());
  }

  /** Does all that the queue holds and what the sweeps find, until a look finds nothing. Then no file is in progress. */
  async settle(worker: Worker, store?: { tenant: string; id: string }): Promise<void> {
    const { sweepStores } = await import("../../../src/ingest/sweep.ts");
    const { SweepMemory } = await import("../../../src/jobs/sweep-memory.ts");
    for (let round = 0; round < 60; round++) {
      const done = await this.drain(worker);
      this.skew += 130_000;
      const overdue = await worker.app.store.overdueInStores(worker.tools.now(), 500);
      const own = store === undefined ? overdue : overdue.filter(({ pk }) => pk === `${store.tenant}:${store.id}`);
      if (done === 0 && own.length === 0) return;
      await sweepStores(worker.tools, 500, new SweepMemory());
    }
    throw new Error("there is always something left to do");
  }

  /** Handles what is in the queue, also what is for later; how many wake-ups that was. */
  async drain(worker: Worker): Promise<number> {
    const receiver = this.#bus.createReceiver(INGEST_QUEUE, { receiveMode: "receiveAndDelete" });
    try {
      for (let done = 0; ; ) {
        const messages = await receiver.receiveMessages(20, { maxWaitTimeInMs: 300 });
        if (messages.length === 0) return done;
        done += messages.length;
        await Promise.all(messages.map(({ body }) => handleIngest(worker.tools, body).catch(() => undefined)));
      }
    } finally {
      await receiver.close();
    }
  }

  /** What breaks the rules of `npm run check:store`, in all stores. */
  async check(): Promise<StoresReport> {
    const { endpoint, key } = this.cosmos;
    const client = new CosmosClient({ endpoint, key, connectionPolicy: { enableEndpointDiscovery: false } });
    const database = client.database("threadkeep");
    const containers = { stores: database.container("stores"), catalog: database.container("catalog") };
    try {
      return await checkVectorStores(containers, { now: Date.now() + this.skew, tolerance: 200_000 });
    } finally {
      client.dispose();
    }
  }

  async stop(): Promise<void> {
    this.cosmos.setFaults([]);
    await Promise.all([...this.#workers].map(({ app }) => app.close()));
    await this.#bus.close();
    await Promise.all([this.cosmos.stop(), this.#model.stop(), this.queue.stop(), this.#azurite.kill()]);
    await this.embeddings.stop();
  }
}

/** A line to the store that can be cut. */
class Line {
  readonly #server: net.Server;
  readonly #sockets = new Set<net.Socket>();

  constructor(port: number) {
    this.#server = net.createServer((near) => {
      const far = net.connect(port, "127.0.0.1");
      for (const socket of [near, far]) {
        this.#sockets.add(socket);
        socket
          .on("error", () => {})
          .on("close", () => {
            near.destroy();
            far.destroy();
          });
      }
      near.pipe(far).pipe(near);
    });
  }

  static async to(port: number): Promise<Line> {
    const line = new Line(port);
    await new Promise<void>((resolve) => line.#server.listen(0, "127.0.0.1", resolve));
    line.#server.unref();
    return line;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async cut(): Promise<void> {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}

/** The embedding model, with moods. */
export class Embedder {
  readonly #server;
  calls = 0;
  /** the status of the next so many answers; 200 where there is none */
  refusals: number[] = [];
  #hold: { isHeld: () => void; until: Promise<void> } | undefined;
  #release: () => void = () => {};

  constructor(target: string) {
    this.#server = createServer(async (request, response) => {
      this.calls += 1;
      const body: Buffer[] = [];
      for await (const chunk of request) body.push(chunk as Buffer);
      if (this.#hold !== undefined) {
        this.#hold.isHeld();
        await this.#hold.until;
      }
      const status = this.refusals.shift();
      if (status !== undefined) {
        response.writeHead(status, { "content-type": "application/json", "retry-after": "1" });
        response.end(JSON.stringify({ error: { message: "no", type: "requests", param: null, code: null } }));
        return;
      }
      const headers = { "content-type": "application/json", authorization: "Bearer a-key" };
      const answer = await fetch(`${target}/embeddings`, { method: "POST", headers, body: Buffer.concat(body) });
      response.writeHead(answer.status, { "content-type": "application/json" });
      response.end(await answer.text());
    });
  }

  /** Resolves once a request is held; all are until `release`. */
  hold(): Promise<void> {
    const [held, released] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    this.#hold = { isHeld: held.resolve, until: released.promise };
    this.#release = released.resolve;
    return held.promise;
  }

  release(): void {
    this.#hold = undefined;
    this.#release();
  }

  static async start(target: string): Promise<Embedder> {
    const embedder = new Embedder(target);
    await new Promise<void>((resolve) => embedder.#server.listen(0, "127.0.0.1", resolve));
    return embedder;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/v1`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
