/** What stands between a worker and Blob Storage: it holds one request at a chosen moment, and then the worker dies. */
import { createServer, type IncomingMessage, type ServerResponse, request as sendRequest } from "node:http";
import type { AddressInfo } from "node:net";

export interface HeldRequest {
  method: "GET" | "PUT";
  /** what its path and query contain */
  containing: string;
  /** not yet passed on; passed on, of the answer only the half of the body; or done, with its answer held */
  when: "before" | "half" | "after";
}

export class BlobGate {
  readonly #target: number;
  readonly #server = createServer((request, response) => void this.#pass(request, response));
  #rule: HeldRequest | undefined;
  #isHeld = Promise.withResolvers<void>();

  constructor(target: number) {
    this.#target = target;
  }

  static async to(target: number): Promise<BlobGate> {
    const gate = new BlobGate(target);
    await new Promise<void>((resolve) => gate.#server.listen(0, "127.0.0.1", resolve));
    gate.#server.unref();
    return gate;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Resolves once such a request is held; it is never let go. */
  hold(rule: HeldRequest): Promise<void> {
    this.#rule = rule;
    this.#isHeld = Promise.withResolvers();
    return this.#isHeld.promise;
  }

  /** No byte goes through any more. */
  cut(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body: Buffer[] = [];
    for await (const chunk of request) body.push(chunk as Buffer);
    const { method = "", url = "", headers } = request;
    const rule = this.#rule;
    const isMeant = rule?.method === method && decodeURIComponent(url).includes(rule.containing);
    if (isMeant && rule.when === "before") return this.#isHeld.resolve();
    const options = { port: this.#target, host: "127.0.0.1", method, path: url, headers };
    sendRequest(options, (answer) => void this.#answer(answer, response, isMeant ? rule.when : undefined))
      .on("error", () => response.destroy())
      .end(Buffer.concat(body));
  }

  async #answer(answer: IncomingMessage, response: ServerResponse, held: HeldRequest["when"] | undefined) {
    const body: Buffer[] = [];
    for await (const chunk of answer) body.push(chunk as Buffer);
    const whole = Buffer.concat(body);
    if (held === "after") return this.#isHeld.resolve();
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    if (held === undefined) return response.end(whole);
    response.write(whole.subarray(0, whole.length / 2), () => this.#isHeld.resolve());
  }
}
