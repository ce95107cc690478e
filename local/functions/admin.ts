// The part of the host's admin API that scripts and tests use: its state, the functions, and running one by hand.

import type { IncomingMessage, ServerResponse } from "node:http";
import { answer } from "./http-call.ts";
import { describeError } from "./log.ts";
import type { RegisteredFunction, TypedData } from "./protocol.ts";
import type { Worker } from "./worker.ts";

export type HostState = "Starting" | "Running" | "Stopping";

export interface FunctionListing {
  name: string;
  trigger: string;
  /** Of an HTTP function: the path that it answers on, and the methods (none means all). */
  route?: string;
  methods?: string[];
  /** Of a timer. */
  schedule?: string;
  /** Of a Service Bus trigger. */
  queue?: string;
}

const maxInputBytes = 1024 * 1024;

export class AdminApi {
  state: HostState = "Starting";
  readonly #worker: Worker;
  readonly #functions: Map<string, RegisteredFunction>;
  readonly #listing: FunctionListing[];

  constructor(worker: Worker, functions: RegisteredFunction[], listing: FunctionListing[]) {
    this.#worker = worker;
    this.#functions = new Map(functions.map((fn) => [fn.name.toLowerCase(), fn]));
    this.#listing = listing;
  }

  handle(path: string, request: IncomingMessage, response: ServerResponse): void {
    const [, , collection, name = "", ...more] = path.split("/");
    const route = `${request.method} ${collection}${name && "/*"}`;
    if (more.length > 0) answer(response, 404);
    else if (route === "GET host/*" && name === "status") this.#status(response);
    else if (route === "GET functions") sendJson(response, 200, this.#listing);
    else if (route === "POST functions/*") void this.#run(name, request, response);
    else answer(response, 404);
  }

  #status(response: ServerResponse): void {
    const processUptime = Math.round(process.uptime() * 1000);
    sendJson(response, 200, { id: "local", state: this.state, processUptime, functions: this.#listing.length });
  }

  /** Starts a function that no HTTP request can start. As in Azure the answer does not wait for it to end. */
  async #run(name: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const fn = this.#functions.get(name.toLowerCase());
    if (!fn) return answer(response, 404, `There is no function "${name}".`);
    if (fn.trigger.type === "httpTrigger")
      return answer(response, 400, `Call the HTTP function "${name}" by its route.`);
    if (this.state === "Stopping") return answer(response, 503, "The host is shutting down.");
    const input = await readInput(request).catch((error: unknown) => ({ error: String(error) }));
    if (typeof input !== "string") return answer(response, 400, input.error);
    answer(response, 202);
    const outcome = await this.#worker.invoke(fn, {
      inputData: [{ name: fn.trigger.name, data: inputFor(fn, input) }],
      triggerMetadata: {},
    });
    if (outcome.error !== undefined) {
      this.#worker.writeLog("error", fn.name, `failed: ${describeError(outcome.error)}`);
    }
  }
}

/** The `input` of the body `{"input": …}`, as text; values that are no strings in JSON. */
async function readInput(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += chunk.length;
    if (bytes > maxInputBytes) throw new Error(`The input is larger than ${maxInputBytes} bytes.`);
    chunks.push(chunk);
  }
  const text = Buffer.concat(chunks).toString("utf8");
  const body: { input?: unknown } | null = text ? JSON.parse(text) : {};
  const input = body?.input ?? "";
  return typeof input === "string" ? input : JSON.stringify(input);
}

function inputFor(fn: RegisteredFunction, input: string): TypedData {
  if (fn.trigger.type !== "timerTrigger") return { string: input };
  return { json: JSON.stringify({ Schedule: { AdjustForDST: true }, ScheduleStatus: null, IsPastDue: false }) };
}

function sendJson(response: ServerResponse, status: number, value: unknown): void {
  const body = JSON.stringify(value);
  response.writeHead(status, { "content-type": "application/json", "content-length": Buffer.byteLength(body) });
  response.end(body);
}
