/** Requests as no client sends them: any path, any method, any bytes. */
import { Agent, type IncomingMessage, request } from "node:http";
import { inject } from "vitest";

export interface Raw {
  method: string;
  /** from the root, sent as it is */
  path: string;
  headers?: Record<string, string>;
  body?: string | Buffer | undefined;
  /** An answer that takes longer counts as a hang. Milliseconds; by default ten seconds. */
  limit?: number;
}

export interface RawAnswer {
  status: number;
  type: string;
  text: string;
}

const agent = new Agent({ keepAlive: true, maxSockets: 24 });

/** Rejects if there is no whole answer within the limit. */
export function sendRaw({ method, path, headers = {}, body, limit = 10_000 }: Raw): Promise<RawAnswer> {
  const { hostname, port } = new URL(inject("stack").origin);
  return new Promise((resolve, reject) => {
    const length =
      body === undefined || "transfer-encoding" in headers ? {} : { "content-length": String(Buffer.byteLength(body)) };
    const call = request({ agent, hostname, port, method, path, headers: { ...headers, ...length } });
    const timer = setTimeout(() => call.destroy(new Error(`no answer within ${limit / 1000} s`)), limit);
    call.once("close", () => clearTimeout(timer));
    call.once("error", reject);
    call.once("response", (response) => {
      textOf(response).then((text) => {
        const type = response.headers["content-type"] ?? "";
        resolve({ status: response.statusCode ?? 0, type, text });
      }, reject);
    });
    call.end(body);
  });
}

async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}
